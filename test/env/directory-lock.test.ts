import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { findLockHolder, lockDirectory } from '../../src/env/directory-lock.ts'
import type { DirectoryLock } from '../../src/env/file-system.ts'
import { claimName, isOfAnotherBoot, newToken, socketName } from '../../src/env/lock-claim.ts'
import { directoryIdentity, processIdentity } from '../../src/env/process-identity.ts'
import type { SedgeError } from '../../src/errors.ts'
import { killLockProcesses, startLockProcess } from '../support/lock-processes.ts'
import { LockRace, plantClaim, PLANTED_TOKEN as TOKEN } from '../support/lock-race.ts'
import { eachRuntime, type Runtime, runScript, runtimes } from '../support/runtimes.ts'
import { tempDirectory, within } from '../support/temp.ts'

const THREAD_CHILD = fileURLToPath(new URL('../support/lock-thread-child.js', import.meta.url))
const DENO_FLAGS = ['run', '--quiet', '--no-prompt', '--no-lock', '--allow-read', '--allow-write']
const NODE_FLAGS = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']

function node(): Runtime {
  return { name: 'node', command: process.execPath, args: [] }
}

/** The `LOCKED` error that locking gives. */
async function refusal(directory: string): Promise<SedgeError> {
  const outcome = await lockDirectory(directory).catch((error: unknown) => error as SedgeError)
  expect(outcome).to.have.property('code', 'LOCKED')
  return outcome as SedgeError
}

async function lockAndRelease(directory: string): Promise<void> {
  const lock = await lockDirectory(directory)
  lock.release()
}

/** How often something is timed: a busy machine can add to each try, a wait would be in all. */
const TRIES = 4

/** The fewest milliseconds that something took. */
async function fastest(action: () => Promise<unknown>, tries: number = TRIES): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let left = tries; left > 0 && least >= 1000; left--) {
    const began = performance.now()
    await action()
    least = Math.min(least, performance.now() - began)
  }
  return least
}

describe('env/directory-lock', () => {
  const held: DirectoryLock[] = []

  async function hold(directory: string): Promise<DirectoryLock> {
    const lock = await lockDirectory(directory)
    held.push(lock)
    return lock
  }

  afterEach(() => {
    for (const lock of held.splice(0)) lock.release()
    killLockProcesses()
  })

  it('refuses a second holder in the process, by any path [LOCK-1]', async () => {
    const root = tempDirectory()
    const directory = `${root}/store`
    mkdirSync(directory)
    symlinkSync('store', `${root}/link`)
    await hold(directory)
    for (const path of [directory, `${root}/link`, `${directory}/`, relative('.', directory)]) {
      const error = await refusal(path)
      expect(error.holder?.pid).to.equal(process.pid)
    }
  })

  it('lets only one of many callers in the process through [LOCK-1]', async () => {
    const directory = tempDirectory()
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => hold(directory)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1)
  })

  eachRuntime(
    'knows what a thread holds, by any path, and lets go of it when it has ended: F2 [LOCK-1, LOCK-25]',
    (runtime) => {
      const output = runScript(runtime, THREAD_CHILD, { args: [`${tempDirectory()}/store`] })
      expect(output.trim()).to.equal('held LOCKED LOCKED held')
    },
  )

  it('leaves a claim and a socket while it holds, and nothing after [LOCK-2, LOCK-5, LOCK-19]', async () => {
    const directory = tempDirectory()
    const lock = await hold(directory)
    const names = readdirSync(directory).sort()
    expect(names).to.have.length(2)
    expect(names[0]).to.match(/^LOCK-[0-9a-f]{24}$/)
    expect(names[1]).to.equal(`${names[0]}.sock`)
    lock.release()
    lock.release()
    expect(readdirSync(directory)).to.deep.equal([])
    expect(lock.isHeld()).to.equal(false)
    const next = await hold(directory)
    lock.release()
    expect(next.isHeld()).to.equal(true)
  })

  it('releases a directory that is gone [LOCK-19]', async () => {
    const root = tempDirectory()
    mkdirSync(`${root}/a`)
    const lock = await hold(`${root}/a`)
    renameSync(`${root}/a`, `${root}/b`)
    expect(lock.isHeld()).to.equal(false)
    lock.release()
    mkdirSync(`${root}/a`)
    await lockAndRelease(`${root}/a`)
  })

  it('says what stands in the way of a claim [LOCK-4]', async () => {
    const error = await lockDirectory(`${tempDirectory()}/none`).catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'IO')
    expect(error).to.have.property('file', 'none')
  })

  it('notices that its claim was removed or replaced [LOCK-20]', async () => {
    for (const change of ['removed', 'replaced', 'restored'] as const) {
      const directory = tempDirectory()
      const lock = await hold(directory)
      const path = `${directory}/${readdirSync(directory).find((name) => !name.endsWith('.sock'))}`
      const content = readFileSync(path)
      renameSync(path, `${path}.moved`)
      if (change === 'replaced') writeFileSync(path, 'something else')
      // Some overlay file systems give a file another number in time.
      if (change === 'restored') writeFileSync(path, content)
      expect(lock.isHeld(), change).to.equal(change === 'restored')
    }
  })

  eachRuntime(
    'excludes another process and tells who holds [LOCK-4, LOCK-7, LOCK-17]',
    async (runtime) => {
      const directory = tempDirectory()
      const other = startLockProcess(runtime, 'hold', directory)
      expect(await other.line()).to.equal('held')
      expect(await fastest(() => refusal(directory))).to.be.below(1000)
      const error = await refusal(directory)
      expect(error.holder?.pid).to.equal(other.process.pid)
      expect(error.holder?.hostname).to.equal(processIdentity().hostname)
      expect(error.holder?.since).to.be.within(Date.now() - 60_000, Date.now())
      expect(error.holder?.file).to.match(/^LOCK-[0-9a-f]{24}$/)
      expect(error.message).to.contain(`process ${other.process.pid}`)
      expect((await findLockHolder(directory))?.pid).to.equal(other.process.pid)
    },
  )

  eachRuntime('is seen by another process [LOCK-4, LOCK-17]', async (runtime) => {
    const directory = tempDirectory()
    const lock = await hold(directory)
    const other = startLockProcess(runtime, 'once', directory)
    const { code, holder } = JSON.parse(await other.line())
    expect(code).to.equal('LOCKED')
    expect(holder.pid).to.equal(process.pid)
    expect(lock.isHeld()).to.equal(true)
    expect(await other.ended).to.equal(0)
  })

  eachRuntime(
    'is free at once when its holder is killed [LOCK-5, LOCK-12, LOCK-18]',
    async (runtime) => {
      const afterDeath = async (): Promise<void> => {
        const directory = tempDirectory()
        const other = startLockProcess(runtime, 'hold', directory)
        await other.line()
        const before = readdirSync(directory)
        other.process.kill('SIGKILL')
        await other.ended
        const taken = fastest(async () => (await hold(directory)).release(), 1)
        took.push(await taken)
        const left = readdirSync(directory).filter(
          (name) => before.includes(name) && name !== 'LOCK',
        )
        expect(left).to.deep.equal([])
      }
      const took: number[] = []
      while (took.length < TRIES && !took.some((ms) => ms < 1000)) await afterDeath()
      expect(Math.min(...took)).to.be.below(1000)
    },
  )

  eachRuntime('stays with a holder that is stopped [LOCK-5, LOCK-10]', async (runtime) => {
    const directory = tempDirectory()
    const other = startLockProcess(runtime, 'hold', directory)
    await other.line()
    other.process.kill('SIGSTOP')
    const error = await refusal(directory)
    expect(error.holder?.pid).to.equal(other.process.pid)
    other.process.kill('SIGCONT')
  })

  eachRuntime('does not keep a process alive [LOCK-23]', async (runtime) => {
    const directory = tempDirectory()
    const other = startLockProcess(runtime, 'once', directory)
    expect(await other.line()).to.equal('held')
    expect(await other.ended).to.equal(0)
    await lockAndRelease(directory)
  })

  it('works for Deno with read and write permission only [LOCK-8, LOCK-15, LOCK-17, LOCK-22]', async function () {
    const deno = runtimes().find(({ name }) => name === 'deno')
    if (deno === undefined) return this.skip()
    this.timeout(60_000)
    const directory = tempDirectory()
    const first = startLockProcess(deno, 'hold', directory, DENO_FLAGS)
    expect(await first.line()).to.equal('held')
    const second = startLockProcess(deno, 'once', directory, DENO_FLAGS)
    expect(JSON.parse(await second.line()).code).to.equal('LOCKED')
    expect((await refusal(directory)).message).to.contain('remove that file')
    first.process.kill('SIGKILL')
    await first.ended
    const asker = startLockProcess(deno, 'holder', directory, DENO_FLAGS)
    expect(await asker.line()).to.equal('null')
    const third = startLockProcess(deno, 'hold', directory, DENO_FLAGS)
    expect(await third.line()).to.equal('held')
    const claims = readdirSync(directory).filter((name) => name.startsWith('LOCK-'))
    expect(claims).to.have.length(1)
  })

  it('works under the permission model of Node [LOCK-8, LOCK-13, LOCK-22]', async function () {
    const node26 = runtimes().find(({ name }) => name === 'node26')
    if (node26 === undefined) return this.skip()
    this.timeout(60_000)
    const directory = tempDirectory()
    const first = startLockProcess(node26, 'hold', directory, NODE_FLAGS)
    expect(await first.line()).to.equal('held')
    expect(readdirSync(directory)).to.have.length(1)
    const second = startLockProcess(node26, 'once', directory, NODE_FLAGS)
    expect(JSON.parse(await second.line()).holder.pid).to.equal(first.process.pid)
    first.process.kill('SIGKILL')
    await first.ended
    const third = startLockProcess(node26, 'once', directory, NODE_FLAGS)
    expect(await third.line()).to.equal('held')
  })

  it('is not fooled by a pid that is used again [LOCK-13]', async () => {
    const directory = tempDirectory()
    plantClaim(directory, {})
    expect((await refusal(directory)).holder?.pid).to.equal(process.pid)
    plantClaim(directory, { startTime: '1' })
    await lockAndRelease(directory)
    expect(readdirSync(directory)).to.deep.equal([])
  })

  it('takes over after a reboot [LOCK-9]', async () => {
    const directory = tempDirectory()
    plantClaim(directory, { bootId: '11111111-2222-3333-4444-555555555555' })
    expect(await findLockHolder(directory)).to.equal(undefined)
    await lockAndRelease(directory)
    expect(readdirSync(directory)).to.deep.equal([])
  })

  it('opens a copy of a store that is open [LOCK-11]', async function () {
    const directory = tempDirectory()
    if (!directoryIdentity(directory).hasStableInodes) return this.skip()
    plantClaim(directory, { inode: '1' })
    await lockAndRelease(directory)
  })

  it('refuses when in doubt, and names the file that forces it [LOCK-16]', async () => {
    const directory = tempDirectory()
    plantClaim(directory, { pidNamespace: 'pid:[1]' })
    const error = await refusal(directory)
    expect(error.file).to.equal(claimName(TOKEN))
    expect(error.message).to.contain(claimName(TOKEN)).and.to.contain('remove that file')
    expect(readdirSync(directory)).to.deep.equal([claimName(TOKEN)])
  })

  it('refuses when a claim is damaged [LOCK-3, LOCK-16]', async () => {
    for (const content of ['', 'no claim', '{}\n0\n', 'x'.repeat(100_000)]) {
      const directory = tempDirectory()
      writeFileSync(`${directory}/${claimName(TOKEN)}`, content)
      const error = await refusal(directory)
      expect(error.holder).to.deep.equal({ file: claimName(TOKEN) })
      expect(error.message).to.contain(claimName(TOKEN))
      expect((await findLockHolder(directory))?.file).to.equal(claimName(TOKEN))
    }
  })

  it('is free when a power cut has damaged a claim [LOCK-26]', async function () {
    const directory = tempDirectory()
    if (directoryIdentity(directory).reach !== 'local') return this.skip()
    if (isOfAnotherBoot(newToken('11111111'), processIdentity().bootId) === false)
      return this.skip()
    writeFileSync(`${directory}/${claimName(newToken('11111111'))}`, '')
    expect(await findLockHolder(directory)).to.equal(undefined)
    await lockAndRelease(directory)
    expect(readdirSync(directory)).to.deep.equal([])
  })

  it('leaves other files alone [LOCK-18]', async () => {
    const directory = tempDirectory()
    const names = [
      'LOCK-',
      'LOCK-xyz',
      `${claimName(TOKEN)}.bak`,
      'LOCK-000000000123456789ABCDEF',
      '000001.log',
    ]
    for (const name of names) writeFileSync(`${directory}/${name}`, '')
    await lockAndRelease(directory)
    expect(readdirSync(directory).sort()).to.deep.equal(names.sort())
  })

  it('clears away what dead contenders left, but no socket that lives [LOCK-18]', async () => {
    const directory = tempDirectory()
    writeFileSync(`${directory}/LOCK-${'1'.repeat(24)}.tmp`, '')
    const names = [`LOCK-${'2'.repeat(24)}`, `LOCK-${'3'.repeat(24)}`].map((name) => `${name}.sock`)
    const servers = within(directory, () => names.map((name) => createServer().listen(`./${name}`)))
    await new Promise((resolve) => servers[1]?.once('listening', resolve))
    // A socket whose owner died: closed under another name, it stays.
    renameSync(`${directory}/${names[0]}`, `${directory}/moved`)
    servers[0]?.close()
    renameSync(`${directory}/moved`, `${directory}/${names[0]}`)
    await lockAndRelease(directory)
    expect(readdirSync(directory)).to.deep.equal([names[1]])
    servers[1]?.close()
  })

  it('asks for the holder without writing [LOCK-21]', async () => {
    const directory = tempDirectory()
    expect(await findLockHolder(directory)).to.equal(undefined)
    const lock = await hold(directory)
    const names = readdirSync(directory)
    expect((await findLockHolder(directory))?.pid).to.equal(process.pid)
    expect(readdirSync(directory)).to.deep.equal(names)
    lock.release()
    plantClaim(directory, { startTime: '1' })
    writeFileSync(`${directory}/${socketName(TOKEN)}`, '')
    expect(await findLockHolder(directory)).to.equal(undefined)
    expect(readdirSync(directory)).to.have.length(2)
  })

  eachRuntime('takes a directory with a long path [LOCK-24]', async (runtime) => {
    const directory = `${tempDirectory()}/${'long'.repeat(40)}`
    mkdirSync(directory)
    const other = startLockProcess(runtime, 'hold', directory)
    expect(await other.line()).to.equal('held')
    expect(readdirSync(directory).filter((name) => name.endsWith('.sock'))).to.have.length(1)
    expect((await refusal(directory)).holder?.pid).to.equal(other.process.pid)
    other.process.kill('SIGKILL')
    await other.ended
    await lockAndRelease(directory)
    expect(readdirSync(directory).filter((name) => name !== 'LOCK')).to.deep.equal([])
  })

  it('never has two holders when many processes race [LOCK-4, LOCK-6]', async function () {
    this.timeout(180_000)
    await race(Array.from({ length: 20 }, node))
  })

  it('never has two holders when runtimes race [LOCK-4, LOCK-6, LOCK-17]', async function () {
    this.timeout(180_000)
    const all = runtimes()
    await race([...all, ...all])
  })
})

async function race(contenders: readonly Runtime[]): Promise<void> {
  const directory = tempDirectory()
  const racing = await LockRace.start(directory, contenders)
  for (let round = 0; round < 5; round++) await racing.run()
  await racing.end()
  expect(readdirSync(directory)).to.deep.equal([])
}
