/**
 * Many processes that want one lock at the same time, round after round.
 *
 *     const race = await LockRace.start(directory, runtimes)
 *     await race.run()         one round: all of them find a dead owner's claim, and want to clear it away
 *     await race.run([3, 4])   the same, and these two are killed while they are at it
 *     await race.end()
 */
import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { claimName, encodeClaim, type LockClaim } from '../../src/env/lock-claim.ts'
import { directoryIdentity, processIdentity } from '../../src/env/process-identity.ts'
import { type LockProcess, startLockProcess } from './lock-processes.ts'
import type { Runtime } from './runtimes.ts'

/** Of the claims that `plantClaim` leaves. */
export const PLANTED_TOKEN = '000000000123456789abcdef'

/** Leaves a claim without a socket in a directory: ours, with some facts changed. */
export function plantClaim(directory: string, changes: Partial<LockClaim>): void {
  const { device, inode, fileSystemType } = directoryIdentity(directory)
  const claim: LockClaim = {
    token: PLANTED_TOKEN,
    ...processIdentity(),
    device,
    inode,
    fileSystemType,
    since: 1_700_000_000_000,
    hasSocket: false,
    hasKernelLock: false,
    ...changes,
  }
  writeFileSync(`${directory}/${claimName(claim.token)}`, encodeClaim(claim))
}

export class LockRace {
  readonly #directory: string
  readonly #contenders: readonly Runtime[]
  readonly #processes: LockProcess[] = []

  private constructor(directory: string, contenders: readonly Runtime[]) {
    this.#directory = directory
    this.#contenders = contenders
  }

  static async start(directory: string, contenders: readonly Runtime[]): Promise<LockRace> {
    const race = new LockRace(directory, contenders)
    for (const [index] of contenders.entries()) race.#start(index)
    for (const { line } of race.#processes) expect(await line()).to.equal('ready')
    return race
  }

  #start(index: number): void {
    this.#processes[index] = startLockProcess(this.#contenders[index]!, 'race', this.#directory)
  }

  /** Throws unless at least one got the lock, and never two at once. Those that are killed may have had it. */
  async run(killed: readonly number[] = []): Promise<void> {
    plantClaim(this.#directory, { startTime: '1' })
    for (const { process } of this.#processes) process.stdin?.write('.')
    const told = this.#processes.map(({ line }, index) =>
      killed.includes(index) ? line().catch(() => 'killed') : line(),
    )
    for (const index of killed) {
      this.#processes[index]!.process.kill('SIGKILL')
      await this.#processes[index]!.ended
    }
    const outcomes = await Promise.all(told)
    const of = (what: string): number => outcomes.filter((outcome) => outcome === what).length
    expect(of('violation'), 'two holders at once').to.equal(0)
    expect(of('held') + of('killed'), 'holders').to.be.greaterThan(0)
    const refused = outcomes.filter((outcome) => outcome.startsWith('{'))
    expect(refused.length + of('held') + of('killed')).to.equal(outcomes.length)
    for (const outcome of refused) expect(JSON.parse(outcome).code).to.equal('LOCKED')
    for (const index of killed) this.#start(index)
    for (const index of killed) expect(await this.#processes[index]!.line()).to.equal('ready')
  }

  async end(): Promise<void> {
    for (const { process } of this.#processes) process.stdin?.end()
    await Promise.all(this.#processes.map(({ ended }) => ended))
  }
}
