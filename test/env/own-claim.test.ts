import { chmodSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { claimName, decodeClaim, socketName } from '../../src/env/lock-claim.ts'
import { makeClaim, type OwnClaim, removeQuietly } from '../../src/env/own-claim.ts'
import { directoryIdentity } from '../../src/env/process-identity.ts'
import { tempDirectory } from '../support/temp.ts'

describe('env/own-claim', () => {
  const claims: OwnClaim[] = []

  async function claimIn(directory: string): Promise<OwnClaim> {
    const claim = await makeClaim(directoryIdentity(directory), false)
    expect(claim).not.to.equal(undefined)
    claims.push(claim!)
    return claim!
  }

  afterEach(() => {
    for (const claim of claims.splice(0)) claim.withdraw()
  })

  it('writes a whole claim that others can judge [LOCK-2, LOCK-3, LOCK-5]', async () => {
    const directory = tempDirectory()
    const { token, holder } = await claimIn(directory)
    expect(readdirSync(directory).sort()).to.deep.equal([claimName(token), socketName(token)])
    const path = `${directory}/${claimName(token)}`
    const claim = decodeClaim(readFileSync(path), token)
    expect(claim).to.include({ pid: process.pid, hasSocket: true, hasKernelLock: false })
    expect(claim?.inode).to.equal(String(statSync(directory).ino))
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    expect(holder).to.include({ pid: process.pid, file: claimName(token) })
  })

  it('takes everything along, twice if need be [LOCK-19]', async () => {
    const directory = tempDirectory()
    const claim = await claimIn(directory)
    claim.withdraw()
    claim.withdraw()
    expect(readdirSync(directory)).to.deep.equal([])
    expect(claim.isIntact()).to.equal(false)
    expect(claim.hasSocketFile()).to.equal(false)
  })

  it('misses its files [LOCK-20]', async () => {
    const directory = tempDirectory()
    const claim = await claimIn(directory)
    expect(claim.isIntact() && claim.hasSocketFile()).to.equal(true)
    unlinkSync(`${directory}/${socketName(claim.token)}`)
    expect(claim.hasSocketFile()).to.equal(false)
    expect(claim.isIntact()).to.equal(true)
    unlinkSync(`${directory}/${claimName(claim.token)}`)
    writeFileSync(`${directory}/${claimName(claim.token)}`, 'x')
    expect(claim.isIntact()).to.equal(false)
  })

  it('knows its claim from one that has taken its place before the first look [LOCK-20]', async () => {
    const directory = tempDirectory()
    const claim = await claimIn(directory)
    const path = `${directory}/${claimName(claim.token)}`
    const content = readFileSync(path)
    unlinkSync(path)
    writeFileSync(path, 'x'.repeat(content.length))
    expect(claim.isIntact()).to.equal(false)
    writeFileSync(path, content)
    expect(claim.isIntact()).to.equal(true)
  })

  it('leaves nothing when the claim cannot be written [LOCK-19]', async () => {
    // The superuser may write everywhere but in the process table.
    const directory = process.getuid?.() === 0 ? '/proc/self' : tempDirectory()
    if (directory !== '/proc/self') chmodSync(directory, 0o500)
    const place = directoryIdentity(directory)
    const error = await makeClaim(place, false).catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(Error)
    expect(readdirSync(directory).filter((name) => name.startsWith('LOCK'))).to.deep.equal([])
    removeQuietly(`${directory}/LOCK-none`)
  })
})
