/**
 * The package as its users get it: packed, installed into an empty folder, and used from outside on every runtime.
 * The scripts that do the using are in `test/package/`.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { buildSync } from 'esbuild'
import { projectPath, projectText } from './support/project.ts'
import { eachRuntime, runScript, runtimes } from './support/runtimes.ts'
import { tempDirectory } from './support/temp.ts'
import { codeOnly } from './support/tidy/source-text.ts'

const LONGEST_MS = 180_000

/** Larger than it needs to be, so that nothing big slips in unseen. */
const TARBALL_BYTES_MAX = 400_000

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepublish', 'prepare']

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly bin?: Readonly<Record<string, string>>
}

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

function npm(args: readonly string[], cwd: string): string {
  const quiet = ['--ignore-scripts', '--offline', '--no-audit', '--no-fund', '--loglevel=error']
  return execFileSync('npm', [...args, ...quiet], { cwd, encoding: 'utf8', timeout: LONGEST_MS })
}

/** Packs a folder into `destination`. */
function pack(folder: string, destination: string): Packed {
  const output = npm(['pack', folder, '--json', '--pack-destination', destination], destination)
  return (JSON.parse(output) as Packed[])[0]!
}

describe('package', function () {
  this.timeout(LONGEST_MS)

  const manifest = JSON.parse(projectText('package.json')) as Manifest
  let packed: Packed
  /** A folder with the package installed, and the scripts that use it. */
  let consumer: string

  before(() => {
    consumer = tempDirectory()
    packed = pack(projectPath(), consumer)
    const xxhash = pack(projectPath('node_modules/xxhash-wasm'), consumer)
    const dependencies = {
      sedgedb: `file:${packed.filename}`,
      'xxhash-wasm': `file:${xxhash.filename}`,
    }
    const own = { name: 'consumer', private: true, type: 'module', dependencies }
    writeFileSync(join(consumer, 'package.json'), JSON.stringify(own))
    npm(['install'], consumer)
    cpSync(projectPath('test/package'), consumer, { recursive: true })
  })

  describe('tarball', () => {
    it('holds the compiled sources and a few documents, nothing else, and is small: H11', () => {
      const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
      const paths = packed.files.map(({ path }) => path)
      expect(paths.filter((path) => !path.startsWith('dist/')).sort()).to.deep.equal(documents)
      const compiled = paths.filter((path) => path.startsWith('dist/'))
      expect(compiled).to.include.members(['dist/index.js', 'dist/index.d.ts'])
      expect(compiled.filter((path) => !/\.(?:js|d\.ts)$/.test(path))).to.deep.equal([])
      expect(packed.size).to.be.lessThan(TARBALL_BYTES_MAX)
    })

    it('holds every file that the manifest points to', () => {
      const targets = Object.values(manifest.exports).flatMap((target) =>
        typeof target === 'string' ? [target] : Object.values(target),
      )
      const pointed = [...targets, ...Object.values(manifest.bin ?? {})]
      expect(pointed.length).to.be.greaterThan(2)
      const installed = (path: string) => join(consumer, 'node_modules/sedgedb', path)
      expect(pointed.filter((path) => !existsSync(installed(path)))).to.deep.equal([])
    })

    it('needs one dependency, and no install script of anybody: H11', () => {
      expect(manifest.dependencies).to.deep.equal({ 'xxhash-wasm': '1.1.0' })
      for (const name of ['.', 'node_modules/xxhash-wasm']) {
        const { scripts = {} } = JSON.parse(projectText(name, 'package.json')) as Partial<Manifest>
        expect(scripts, name).to.not.have.any.keys(...INSTALL_SCRIPTS.slice(0, 3))
      }
      expect(manifest.scripts).to.not.have.any.keys(...INSTALL_SCRIPTS)
      const modules = readdirSync(join(consumer, 'node_modules'))
      const packages = modules.filter((name) => !name.startsWith('.'))
      expect(packages.sort()).to.deep.equal(['sedgedb', 'xxhash-wasm'])
    })

    it('has no top-level await, which would keep it from being required', () => {
      const compiled = packed.files.map(({ path }) => path).filter((path) => path.endsWith('.js'))
      const pattern = /^(?:export\s+)?(?:await\b|(?:const|let)\s[^=;]*=\s*await\b)/m
      expect('const a = await b()').to.match(pattern)
      const waiting = compiled.filter((path) => pattern.test(codeOnly(projectText(path))))
      expect(waiting).to.deep.equal([])
    })
  })

  describe('installed', () => {
    eachRuntime('is imported from an ES module', (runtime) => {
      const output = runScript(runtime, join(consumer, 'import.mjs'), storeArgs(consumer))
      expect(output).to.equal('ok\n')
    })

    eachRuntime('is required from CommonJS', (runtime) => {
      const output = runScript(runtime, join(consumer, 'require.cjs'), storeArgs(consumer))
      expect(output).to.equal('ok\n')
    })

    eachRuntime('flushes and compacts in the background', (runtime) => {
      const output = runScript(runtime, join(consumer, 'background.mjs'), storeArgs(consumer))
      expectWorkers(output, runtime.name)
    })

    it('asks Deno for nothing but to read and write files', function () {
      const deno = runtimes().find(({ name }) => name === 'deno')
      if (deno === undefined) return this.skip()
      const args = deno.args.filter((arg) => arg !== '--allow-all')
      const careful = {
        ...deno,
        args: [...args, '--no-prompt', '--allow-read', '--allow-write'],
      }
      const output = runScript(careful, join(consumer, 'background.mjs'), storeArgs(consumer))
      expectWorkers(output, 'deno')
    })

    it('has types that a strict program compiles against, without skipping library checks', () => {
      const folder = join(consumer, 'typed')
      mkdirSync(folder)
      const typings = ['@types/node', 'undici-types']
      for (const name of typings) {
        cpSync(projectPath('node_modules', name), join(folder, 'node_modules', name), {
          recursive: true,
        })
      }
      const compilerOptions = {
        target: 'es2022',
        lib: ['es2023', 'esnext.disposable'],
        module: 'nodenext',
        moduleResolution: 'nodenext',
        strict: true,
        noEmit: true,
        types: ['node'],
      }
      const config = { compilerOptions, files: ['program.ts'] }
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
      writeFileSync(join(folder, 'program.ts'), TYPED_PROGRAM)
      expect(compile(folder)).to.equal('')
      writeFileSync(join(folder, 'program.ts'), `${TYPED_PROGRAM}\nawait db.put('a', 1n)\n`)
      expect(compile(folder)).to.match(/program\.ts.*error TS2/)
    })
  })

  describe('bundled into one file', () => {
    for (const [format, ending] of [
      ['esm', 'mjs'],
      ['cjs', 'cjs'],
    ] as const) {
      eachRuntime(`works anywhere (${format}), worker included`, (runtime) => {
        const elsewhere = tempDirectory()
        const outfile = join(elsewhere, `program.${ending}`)
        buildSync({
          entryPoints: [join(consumer, 'background.mjs')],
          // Comments name modules relative to it.
          absWorkingDir: consumer,
          outfile,
          bundle: true,
          platform: 'node',
          format,
          logLevel: 'silent',
        })
        expect(readdirSync(elsewhere)).to.deep.equal([basename(outfile)])
        const output = runScript(runtime, outfile, storeArgs(elsewhere))
        expectWorkers(output, runtime.name)
        expect(readFileSync(outfile, 'utf8')).to.not.include(consumer)
      })
    }
  })

  function storeArgs(cwd: string): { cwd: string; args: string[] } {
    return { cwd, args: [join(tempDirectory(), 'store')] }
  }

  /** Node tells of every worker thread; the others do not. */
  function expectWorkers(output: string, runtime: string): void {
    const expected = runtime.startsWith('node') ? /^[1-9]\d* workers\nok\n$/ : /^\d+ workers\nok\n$/
    expect(output).to.match(expected)
  }

  function compile(folder: string): string {
    try {
      const tsc = projectPath('node_modules/typescript/bin/tsc')
      return execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
    } catch (error) {
      return (error as { stdout: string }).stdout
    }
  }
})

const TYPED_PROGRAM = `
import { destroy, open, SedgeError } from 'sedgedb'

const db = await open('./data', { keyEncoding: 'utf8', valueEncoding: 'binary' })
await db.put('key', new Uint8Array(3), { sync: true })
const value: Uint8Array | undefined = await db.get('key')
const text: string | undefined = db.getSync('key', { valueEncoding: 'utf8' })
const many: (Uint8Array | undefined)[] = await db.getMany(['a', 'b'])
await db.batch([{ type: 'put', key: 'a', value: 'b' }, { type: 'delete', key: 'c' }])
await db.batch().put('a', 'b').delete('c').write({ sync: false })
for await (const [k, v] of db.iterator({ prefix: 'k', limit: 10 })) {
  const key: string = k
  console.log(key.length, v.length)
}
const keys: string[] = [...db.keysSync({ gt: 'a', lte: 'z', reverse: true })]
const snapshot = db.snapshot()
const old = await db.get('key', { snapshot })
snapshot.close()
const count: number = db.stats().tables
await db.close()
await destroy('./data').catch((error: unknown) => {
  if (error instanceof SedgeError && error.code === 'LOCKED') return
  throw error
})
console.log(value?.length, text?.length, many.length, keys.length, old?.length, count)
`
