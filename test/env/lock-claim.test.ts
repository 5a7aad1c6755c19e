import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import {
  claimName,
  decodeClaim,
  draftName,
  encodeClaim,
  holderOf,
  isOfAnotherBoot,
  type LockClaim,
  newToken,
  parseLockFileName,
  readClaim,
  socketName,
} from '../../src/env/lock-claim.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { tempDirectory } from '../support/temp.ts'

const TOKEN = '00000000' + '0123456789abcdef'
const CLAIM: LockClaim = {
  token: TOKEN,
  pid: 42,
  platform: 'linux',
  since: 1_700_000_000_000,
  hasSocket: true,
  hasKernelLock: false,
  startTime: '12345',
  bootId: 'b',
  pidNamespace: 'pid:[1]',
  hostname: 'host',
  fileSystemType: 0xef53,
  device: '1',
  inode: '2',
}

/** A claim's bytes with a checksum that holds, whatever the line is. */
function sealed(line: string): Uint8Array {
  const sum = createHash('sha256').update(line).digest('hex').slice(0, 16)
  return new TextEncoder().encode(`${line}\n${sum}\n`)
}

function changed(changes: object): Uint8Array {
  return sealed(JSON.stringify({ format: 1, ...CLAIM, ...changes }))
}

describe('env/lock-claim', () => {
  it('brings a claim back, with and without the facts that may be unknown [LOCK-3, LOCK-8]', () => {
    expect(decodeClaim(encodeClaim(CLAIM), TOKEN)).to.deep.equal(CLAIM)
    const { token, pid, platform, since, hasSocket, hasKernelLock } = CLAIM
    const bare = { token, pid, platform, since, hasSocket, hasKernelLock }
    const decoded = decodeClaim(encodeClaim(bare), TOKEN)
    expect(JSON.parse(JSON.stringify(decoded))).to.deep.equal(bare)
  })

  it('has the bytes that the page gives [LOCK-3]', () => {
    const [line, sum, end] = new TextDecoder().decode(encodeClaim(CLAIM)).split('\n')
    expect(JSON.parse(line ?? '')).to.deep.equal({ format: 1, ...CLAIM })
    expect(sum).to.match(/^[0-9a-f]{16}$/)
    expect(end).to.equal('')
    expect(encodeClaim(CLAIM)).to.deep.equal(changed({}))
  })

  it('reads no claim with a changed bit, cut short or too long [LOCK-3]', () => {
    const bytes = encodeClaim(CLAIM)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = bytes.slice()
      copy[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeClaim(copy, TOKEN), `bit ${bit}`).to.equal(undefined)
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeClaim(bytes.subarray(0, length), TOKEN)).to.equal(undefined)
    }
    expect(decodeClaim(sealed(JSON.stringify({ x: 'x'.repeat(5000) })), TOKEN)).to.equal(undefined)
  })

  it('reads no claim with a field of the wrong kind, though its checksum holds [LOCK-3]', () => {
    const wrong: object[] = [
      { format: 2 },
      { token: 'fedcba9876543210' },
      { pid: 0 },
      { pid: -1 },
      { pid: 2 ** 31 },
      { pid: '42' },
      { since: -1 },
      { since: 1e16 },
      { hostname: 'a\nb' },
      { hostname: 7 },
      { bootId: 'x'.repeat(257) },
      { startTime: {} },
      { fileSystemType: 1.5 },
      { device: [] },
    ]
    for (const changes of wrong) {
      expect(decodeClaim(changed(changes), TOKEN), JSON.stringify(changes)).to.equal(undefined)
    }
    for (const line of ['', 'null', '[]', '7', '{', '{"__proto__":{"format":1}}']) {
      expect(decodeClaim(sealed(line), TOKEN), line).to.equal(undefined)
    }
  })

  it('survives bytes of any kind [LOCK-3]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 500; round++) {
      expect(decodeClaim(random.bytes(random.int(0, 300)), TOKEN)).to.equal(undefined)
    }
  })

  it('reads regular files only [LOCK-3]', () => {
    const root = tempDirectory()
    const path = `${root}/claim`
    expect(readClaim(path, TOKEN)).to.equal('absent')
    writeFileSync(path, encodeClaim(CLAIM))
    expect(readClaim(path, TOKEN)).to.deep.equal(CLAIM)
    symlinkSync('claim', `${root}/link`)
    execFileSync('mkfifo', [`${root}/fifo`])
    for (const name of ['link', 'fifo', '.']) {
      expect(readClaim(`${root}/${name}`, TOKEN), name).to.equal('unreadable')
    }
  })

  it('gives every claim a name of its own [LOCK-2]', () => {
    const tokens = Array.from({ length: 100 }, () => newToken(undefined))
    expect(new Set(tokens).size).to.equal(100)
    for (const token of tokens) {
      expect(parseLockFileName(claimName(token))).to.deep.equal({ token, part: 'claim' })
      expect(parseLockFileName(socketName(token))).to.deep.equal({ token, part: 'socket' })
      expect(parseLockFileName(draftName(token))).to.deep.equal({ token, part: 'draft' })
    }
    for (const name of ['LOCK', 'LOCK-', 'LOCK-12', `LOCK-${TOKEN}0`, `LOCK-${TOKEN}.sock.tmp`]) {
      expect(parseLockFileName(name), name).to.equal(undefined)
    }
  })

  it('tells of which boot it is by its name alone [LOCK-26]', () => {
    const [one, other] = [
      '9c7a4b21-1111-4222-8333-444455556666',
      '9c7a4b22-1111-4222-8333-444455556666',
    ]
    expect(newToken(one)).to.match(/^9c7a4b21[0-9a-f]{16}$/)
    expect(isOfAnotherBoot(newToken(one), other)).to.equal(true)
    expect(isOfAnotherBoot(newToken(one), one)).to.equal(false)
    for (const unknown of [undefined, '', 'boot', '9C7A4B21-1111']) {
      expect(newToken(unknown)).to.match(/^00000000[0-9a-f]{16}$/)
      expect(isOfAnotherBoot(newToken(unknown), one)).to.equal(false)
      expect(isOfAnotherBoot(newToken(one), unknown)).to.equal(false)
    }
  })

  it('tells people what a claim says of its owner [LOCK-7]', () => {
    const { pid, hostname, since } = CLAIM
    const file = `LOCK-${TOKEN}`
    expect(holderOf(TOKEN, CLAIM)).to.deep.equal({ pid, hostname, since, file })
    expect(holderOf(TOKEN, 'unreadable')).to.deep.equal({ file })
  })
})
