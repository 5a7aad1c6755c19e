import { readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { listenOn, probeSocket } from '../../src/env/lock-socket.ts'
import { tempDirectory } from '../support/temp.ts'

describe('env/lock-socket', () => {
  it('accepts as long as it listens and leaves no file [LOCK-5, LOCK-19]', async () => {
    const root = tempDirectory()
    expect(await probeSocket(root, 'a.sock')).to.equal('absent')
    const socket = await listenOn(root, 'a.sock')
    expect(await probeSocket(root, 'a.sock')).to.equal('accepts')
    renameSync(`${root}/a.sock`, `${root}/b.sock`)
    socket?.close()
    expect(await probeSocket(root, 'b.sock')).to.equal('refused')
    socket?.close()
    expect(readdirSync(root)).to.deep.equal(['b.sock'])
  })

  it('takes nothing but a socket for one [LOCK-12]', async () => {
    const root = tempDirectory()
    writeFileSync(`${root}/file.sock`, '')
    symlinkSync('file.sock', `${root}/link.sock`)
    expect(await probeSocket(root, 'file.sock')).to.equal('unknown')
    expect(await probeSocket(root, 'link.sock')).to.equal('unknown')
  })

  it('does without where it cannot listen [LOCK-8]', async () => {
    const root = tempDirectory()
    writeFileSync(`${root}/a.sock`, '')
    expect(await listenOn(root, 'a.sock')).to.equal(undefined)
    expect(await listenOn(`${root}/none`, 'a.sock')).to.equal(undefined)
    expect(readdirSync(root)).to.deep.equal(['a.sock'])
  })
})
