import { execFileSync } from 'node:child_process'
import fileSystem, {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { fileSystemSteps } from '../support/file-system-suite.ts'
import { childEnvironment, eachRuntime, type Runtime, runtimes } from '../support/runtimes.ts'
import { tempDirectory } from '../support/temp.ts'

const CHILD = fileURLToPath(new URL('../support/file-system-child.js', import.meta.url))

/** The steps as another runtime takes them. */
function stepsOn(runtime: Runtime, flags: readonly string[]): unknown {
  const output = execFileSync(runtime.command, [...flags, CHILD, tempDirectory()], {
    encoding: 'utf8',
    env: childEnvironment(),
  })
  return JSON.parse(output)
}

function expectedSteps(): unknown {
  return JSON.parse(JSON.stringify(fileSystemSteps(new NodeFileSystem(), tempDirectory())))
}

describe('env/node-file-system', () => {
  const fs = new NodeFileSystem()

  it('reads and writes where it is told [ENV-1]', () => {
    const path = `${tempDirectory()}/a`
    const file = fs.open(path, 'create')
    file.write(Uint8Array.of(7, 8), 3)
    file.write(Uint8Array.of(9), 0)
    expect([...readFileSync(path)]).to.deep.equal([9, 0, 0, 7, 8])
    const target = new Uint8Array(2)
    expect(file.read(target, 3)).to.equal(2)
    expect([...target]).to.deep.equal([7, 8])
    file.close()
  })

  it('makes files and directories that are ours alone: H6 [ENV-1]', () => {
    const root = tempDirectory()
    fs.makeDirectory(`${root}/d/e`)
    fs.open(`${root}/d/e/a`, 'create').close()
    expect(statSync(`${root}/d`).mode & 0o777).to.equal(0o700)
    expect(statSync(`${root}/d/e`).mode & 0o777).to.equal(0o700)
    expect(statSync(`${root}/d/e/a`).mode & 0o777).to.equal(0o600)
  })

  it('says why a directory cannot be made, not that the one before it is missing [ENV-1]', () => {
    const root = tempDirectory()
    const { mkdirSync: real } = fileSystem
    let made = ''
    // What Node says of a file system that is read-only: the reason only for one directory at a time.
    fileSystem.mkdirSync = ((path: string, options: unknown) => {
      made = path
      const isMany = typeof options === 'object'
      throw Object.assign(new Error('refused'), { code: isMany ? 'ENOENT' : 'EROFS' })
    }) as typeof real
    syncBuiltinESMExports()
    try {
      expect(() => fs.makeDirectory(`${root}/a/b/c`))
        .to.throw()
        .with.property('code', 'EROFS')
      expect(made).to.equal(`${root}/a`)
    } finally {
      fileSystem.mkdirSync = real
      syncBuiltinESMExports()
    }
    expect(fs.makeDirectory(`${root}/a/b/c`)).to.equal(true)
    expect(fs.makeDirectory(`${root}/a/b/c`)).to.equal(false)
    symlinkSync('nowhere', `${root}/link`)
    expect(() => fs.makeDirectory(`${root}/link/d`))
      .to.throw()
      .with.property('code', 'ENOENT')
  })

  it('creates nothing through a link [ENV-1]', () => {
    const root = tempDirectory()
    symlinkSync(`${root}/target`, `${root}/link`)
    expect(() => fs.open(`${root}/link`, 'create'))
      .to.throw()
      .with.property('code', 'EEXIST')
    expect(existsSync(`${root}/target`)).to.equal(false)
  })

  it('opens only regular files, without waiting [ENV-2]', () => {
    const root = tempDirectory()
    fs.open(`${root}/a`, 'create').close()
    symlinkSync('a', `${root}/link`)
    execFileSync('mkfifo', [`${root}/fifo`])
    const codes = { link: 'ELOOP', fifo: 'EINVAL', '.': 'EISDIR' }
    for (const [name, code] of Object.entries(codes)) {
      for (const mode of ['read', 'readwrite'] as const) {
        const open = (): unknown => fs.open(`${root}/${name}`, mode)
        expect(open, `${mode} ${name}`).to.throw().with.property('code', code)
      }
    }
    expect(() => fs.open('/dev/null', 'read'))
      .to.throw()
      .with.property('code', 'EINVAL')
  })

  it('refuses positions that mean something else to the system [ENV-3]', () => {
    const file = fs.open(`${tempDirectory()}/a`, 'create')
    for (const position of [-1, 1.5, Number.NaN, null as never, undefined as never]) {
      expect(() => file.write(Uint8Array.of(1), position)).to.throw(RangeError)
    }
    expect(file.size()).to.equal(0)
    file.close()
    file.close()
    expect(() => file.size())
      .to.throw()
      .with.property('code', 'EBADF')
  })

  it('syncs in both forms [ENV-4]', async () => {
    const file = fs.open(`${tempDirectory()}/a`, 'create')
    file.write(Uint8Array.of(1), 0)
    file.sync()
    await file.syncAsync()
    file.close()
    const error = await file.syncAsync().catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'EBADF')
  })

  it('syncs directories and throws when one cannot be opened [ENV-7]', () => {
    const root = tempDirectory()
    fs.syncDirectory(root)
    expect(() => fs.syncDirectory(`${root}/none`))
      .to.throw()
      .with.property('code', 'ENOENT')
    // For the superuser every directory can be opened.
    if (process.getuid?.() !== 0) {
      mkdirSync(`${root}/closed`)
      chmodSync(`${root}/closed`, 0)
      expect(() => fs.syncDirectory(`${root}/closed`))
        .to.throw()
        .with.property('code', 'EACCES')
    }
    // This file system has directories without such a call; nothing is known of its device before.
    fs.syncDirectory('/proc')
    fs.syncDirectory('/proc')
  })

  it('follows links to directories only [ENV-8]', () => {
    const root = tempDirectory()
    fs.makeDirectory(`${root}/d`)
    fs.open(`${root}/a`, 'create').close()
    symlinkSync('d', `${root}/to-directory`)
    symlinkSync('a', `${root}/to-file`)
    symlinkSync('none', `${root}/to-nothing`)
    expect(fs.status(`${root}/to-directory`)?.kind).to.equal('directory')
    expect(fs.status(`${root}/to-file`)?.kind).to.equal('other')
    expect(fs.status(`${root}/to-nothing`)?.kind).to.equal('other')
    expect(fs.status(`${root}/none`)).to.equal(undefined)
    expect(() => fs.remove(`${root}/d`))
      .to.throw()
      .with.property('code', 'EISDIR')
  })

  eachRuntime('gives the same results and errors [ENV-9]', (runtime) => {
    expect(stepsOn(runtime, runtime.args)).to.deep.equal(expectedSteps())
  })

  it('works on Deno with read and write permission only [ENV-9]', function () {
    const deno = runtimes().find(({ name }) => name === 'deno')
    if (deno === undefined) return this.skip()
    this.timeout(60_000)
    const flags = ['run', '--quiet', '--no-prompt', '--no-lock', '--allow-read', '--allow-write']
    expect(stepsOn(deno, flags)).to.deep.equal(expectedSteps())
  })

  it('writes through where syncing is refused [ENV-4]', function () {
    const node = runtimes().find(({ name }) => name === 'node26')
    if (node === undefined) return this.skip()
    this.timeout(60_000)
    const flags = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']
    expect(stepsOn(node, flags)).to.deep.equal(expectedSteps())
  })
})
