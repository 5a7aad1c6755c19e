import { expect } from 'chai'
import type { LockClaim } from '../../src/env/lock-claim.ts'
import {
  type Evidence,
  judgeClaim,
  judgeUnreadable,
  type Surroundings,
} from '../../src/env/lock-verdict.ts'
import type { DirectoryIdentity, ProcessIdentity } from '../../src/env/process-identity.ts'

const HERE: ProcessIdentity = {
  pid: 100,
  platform: 'linux',
  startTime: '1000',
  bootId: 'boot',
  pidNamespace: 'pid:[1]',
  hostname: 'host',
}

const LOCAL: DirectoryIdentity = {
  path: '/store',
  device: '8',
  inode: '80',
  fileSystemType: 0xef53,
  reach: 'local',
  hasStableInodes: true,
}

const SHARED: DirectoryIdentity = { ...LOCAL, reach: 'shared', hasStableInodes: false }

/** A claim from this machine, by a process with a socket. */
const CLAIM: LockClaim = {
  ...HERE,
  token: '9c7a4b21' + '0123456789abcdef',
  pid: 200,
  startTime: '2000',
  since: 0,
  hasSocket: true,
  hasKernelLock: false,
  device: '8',
  inode: '80',
}

interface Case {
  readonly claim?: Partial<LockClaim>
  readonly process?: Partial<ProcessIdentity>
  readonly directory?: DirectoryIdentity
  readonly hasKernelLock?: boolean
  readonly evidence?: Partial<Evidence>
}

function judge({
  claim,
  process,
  directory = LOCAL,
  hasKernelLock = false,
  evidence,
}: Case): string {
  const here: Surroundings = { process: { ...HERE, ...process }, directory, hasKernelLock }
  const seen: Evidence = { socket: 'unknown', process: 'unknown', ...evidence }
  return judgeClaim({ ...CLAIM, ...claim }, here, seen)
}

describe('env/lock-verdict', () => {
  it('takes another boot for dead where only one kernel mounts [LOCK-9]', () => {
    const claim = { bootId: 'earlier' }
    const evidence: Evidence = { socket: 'accepts', process: 'running' }
    expect(judge({ claim, evidence })).to.equal('dead')
    expect(judge({ claim, directory: SHARED, evidence })).to.equal('unknown')
    const unknownReach = { ...LOCAL, reach: undefined }
    expect(judge({ claim, directory: unknownReach, evidence: { process: 'gone' } })).to.equal(
      'unknown',
    )
  })

  it('takes a claim that cannot be read for dead where its name tells of another boot [LOCK-26]', () => {
    const bootId = '9c7a4b22-1111-4222-8333-444455556666'
    const here = { process: { ...HERE, bootId }, directory: LOCAL, hasKernelLock: true }
    expect(judgeUnreadable(CLAIM.token, here)).to.equal('dead')
    expect(judgeUnreadable('9c7a4b22'.padEnd(24, '1'), here)).to.equal('unknown')
    expect(judgeUnreadable('0'.repeat(24), here)).to.equal('unknown')
    expect(judgeUnreadable(CLAIM.token, { ...here, process: HERE })).to.equal('unknown')
    for (const directory of [SHARED, { ...LOCAL, reach: undefined }]) {
      expect(judgeUnreadable(CLAIM.token, { ...here, directory })).to.equal('unknown')
    }
  })

  it('takes an owner whose socket accepts for alive [LOCK-10]', () => {
    for (const directory of [LOCAL, SHARED]) {
      for (const claim of [{}, { bootId: undefined }, { pidNamespace: 'other' }, { inode: '81' }]) {
        const evidence: Evidence = { socket: 'accepts', process: 'gone' }
        expect(judge({ claim, directory, evidence })).to.equal('alive')
      }
    }
  })

  it('takes a claim for another directory for dead where inodes are stable [LOCK-11]', () => {
    const claim = { inode: '81' }
    const evidence: Partial<Evidence> = { process: 'running', socket: 'absent' }
    expect(judge({ claim, evidence })).to.equal('dead')
    expect(judge({ claim, evidence, directory: { ...LOCAL, hasStableInodes: false } })).to.equal(
      'alive',
    )
    expect(judge({ claim: { ...claim, bootId: undefined }, evidence })).to.equal('unknown')
    expect(judge({ claim: { inode: undefined }, evidence })).to.equal('alive')
  })

  it('takes an owner whose socket is refused for dead, in any container [LOCK-12]', () => {
    const evidence: Partial<Evidence> = { socket: 'refused', process: 'running' }
    expect(judge({ evidence })).to.equal('dead')
    expect(judge({ evidence, claim: { pidNamespace: 'other' } })).to.equal('dead')
    expect(judge({ evidence, claim: { bootId: undefined } })).to.equal('dead')
    expect(judge({ evidence, directory: SHARED })).to.equal('dead')
  })

  it('does not trust a refusal through another mount, or without a recorded socket [LOCK-12]', () => {
    const evidence: Partial<Evidence> = { socket: 'refused' }
    expect(judge({ evidence, directory: { ...SHARED, device: '9' } })).to.equal('unknown')
    expect(judge({ evidence, directory: SHARED, claim: { bootId: undefined } })).to.equal('unknown')
    expect(judge({ evidence, claim: { hasSocket: false } })).to.equal('unknown')
    expect(judge({ evidence: { socket: 'absent' } })).to.equal('unknown')
  })

  it('takes a thread of this process for ended whose socket is gone, and no other process [LOCK-25]', () => {
    const evidence: Evidence = { socket: 'gone', process: 'running' }
    const claim = { pid: HERE.pid, startTime: HERE.startTime }
    expect(judge({ claim, evidence })).to.equal('dead')
    expect(judge({ claim, evidence: { ...evidence, socket: 'absent' } })).to.equal('alive')
    expect(judge({ claim: { ...claim, hasSocket: false }, evidence })).to.equal('alive')
    expect(judge({ evidence })).to.equal('alive')
    expect(judge({ claim: { ...claim, pidNamespace: 'other' }, evidence })).to.equal('unknown')
    expect(judge({ claim: { ...claim, bootId: undefined }, evidence })).to.equal('unknown')
  })

  it('asks the process table within one boot and pid namespace only [LOCK-13]', () => {
    const claim = { hasSocket: false }
    expect(judge({ claim, evidence: { process: 'gone' } })).to.equal('dead')
    expect(judge({ claim, evidence: { process: 'replaced' } })).to.equal('dead')
    expect(judge({ claim, evidence: { process: 'running' } })).to.equal('alive')
    expect(judge({ claim, evidence: { process: 'unknown' } })).to.equal('unknown')
    for (const process of ['gone', 'replaced', 'running'] as const) {
      const evidence = { process }
      expect(judge({ claim: { ...claim, pidNamespace: 'other' }, evidence })).to.equal('unknown')
      expect(judge({ claim: { ...claim, pidNamespace: undefined }, evidence })).to.equal('unknown')
      expect(judge({ claim: { ...claim, bootId: undefined }, evidence })).to.equal('unknown')
      expect(judge({ claim, process: { bootId: undefined }, evidence })).to.equal('unknown')
    }
  })

  it('goes by the host name where there is no boot id [LOCK-14]', () => {
    for (const platform of ['darwin', 'win32']) {
      const facts = { platform, bootId: undefined, pidNamespace: undefined }
      const claim = { ...facts, startTime: undefined }
      const directory = { ...LOCAL, reach: undefined }
      const here = { process: facts, directory }
      expect(judge({ ...here, claim, evidence: { process: 'gone' } })).to.equal('dead')
      expect(judge({ ...here, claim, evidence: { process: 'running' } })).to.equal('alive')
      expect(judge({ ...here, claim, evidence: { socket: 'refused' } })).to.equal('dead')
      const foreign = { ...claim, hostname: 'other' }
      expect(judge({ ...here, claim: foreign, evidence: { process: 'gone' } })).to.equal('unknown')
      const linux = { ...claim, platform: 'linux' }
      expect(judge({ ...here, claim: linux, evidence: { process: 'gone' } })).to.equal('unknown')
    }
  })

  it('takes an owner for dead whose kernel lock we have [LOCK-15]', () => {
    const bare = { hasKernelLock: true, hasSocket: false, bootId: undefined }
    expect(judge({ claim: bare, hasKernelLock: true })).to.equal('dead')
    expect(judge({ claim: bare })).to.equal('unknown')
    expect(judge({ claim: { ...bare, hasKernelLock: false }, hasKernelLock: true })).to.equal(
      'unknown',
    )
    expect(judge({ claim: bare, hasKernelLock: true, directory: SHARED })).to.equal('unknown')
    const visible = { hasKernelLock: true, hasSocket: false }
    const evidence: Partial<Evidence> = { process: 'running' }
    expect(judge({ claim: visible, hasKernelLock: true, evidence })).to.equal('alive')
  })

  it('doubts everything else [LOCK-16]', () => {
    expect(judge({})).to.equal('unknown')
    expect(
      judge({ claim: { pidNamespace: 'other' }, evidence: { socket: 'absent', process: 'gone' } }),
    ).to.equal('unknown')
  })
})
