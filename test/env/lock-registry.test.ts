import { expect } from 'chai'
import { register, registeredHolder } from '../../src/env/lock-registry.ts'
import { type DirectoryIdentity, directoryIdentity } from '../../src/env/process-identity.ts'
import { tempDirectory } from '../support/temp.ts'

describe('env/lock-registry', () => {
  it('takes one holder for each directory [LOCK-1]', () => {
    const place = directoryIdentity(tempDirectory())
    const registration = register(place)
    expect(() => register(place))
      .to.throw()
      .with.property('code', 'LOCKED')
    register(directoryIdentity(tempDirectory())).end()
    registration.end()
    const next = register(place)
    registration.end()
    expect(registeredHolder(place)?.pid).to.equal(process.pid)
    next.end()
    expect(registeredHolder(place)).to.equal(undefined)
  })

  it('knows a directory by another mount, and one without an inode by its path [LOCK-1]', () => {
    const place = directoryIdentity(tempDirectory())
    const registration = register(place)
    expect(registeredHolder({ ...place, path: '/elsewhere' })?.pid).to.equal(process.pid)
    const bare: DirectoryIdentity = { ...place, device: undefined, inode: undefined }
    expect(registeredHolder(bare)?.pid).to.equal(process.pid)
    expect(registeredHolder({ ...bare, path: '/elsewhere' })).to.equal(undefined)
    registration.end()
  })

  it('tells later comers what the holder has told [LOCK-7]', () => {
    const place = directoryIdentity(tempDirectory())
    const registration = register(place)
    registration.hold({ pid: 1, file: 'LOCK-1' })
    expect(() => register(place))
      .to.throw()
      .with.nested.property('holder.file', 'LOCK-1')
    registration.end()
    expect(registeredHolder(place)).to.equal(undefined)
  })
})
