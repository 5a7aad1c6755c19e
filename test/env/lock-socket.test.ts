import { readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import { newToken } from '../../src/env/lock-claim.ts'
import { listenOn, probeSocket } from '../../src/env/lock-socket.ts'
import { eachRuntime, runScript } from '../support/runtimes.ts'
import { tempDirectory, within } from '../support/temp.ts'

const MODULE = new URL('../../src/env/lock-socket.js', import.meta.url).href

describe('env/lock-socket', () => {
  it('accepts as long as it listens and leaves no file [LOCK-5, LOCK-19]', async () => {
    const root = tempDirectory()
    expect(await probeSocket(root, 'a.sock')).to.be.oneOf(['absent', 'gone'])
    const socket = await listenOn(root, 'a.sock')
    expect(await probeSocket(root, 'a.sock')).to.equal('accepts')
    renameSync(`${root}/a.sock`, `${root}/b.sock`)
    socket?.close()
    expect(await probeSocket(root, 'b.sock')).to.equal('refused')
    socket?.close()
    expect(readdirSync(root)).to.deep.equal(['b.sock'])
  })

  it('knows a socket that has lost its file from one that is gone [LOCK-25]', async function () {
    if (process.platform !== 'linux') this.skip()
    const root = tempDirectory()
    const name = `${newToken(undefined)}.sock`
    expect(await probeSocket(root, name)).to.equal('gone')
    const socket = await listenOn(root, name)
    rmSync(`${root}/${name}`)
    expect(await probeSocket(root, name)).to.equal('absent')
    socket?.close()
    while ((await probeSocket(root, name)) !== 'gone') await new Promise(setImmediate)
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

  eachRuntime(
    'knows a full queue from a socket that nobody has [LOCK-5, LOCK-12]',
    async (runtime) => {
      const root = tempDirectory()
      const dead = await listenOn(root, 'a.sock')
      renameSync(`${root}/a.sock`, `${root}/dead.sock`)
      dead?.close()
      const server = within(root, () => createServer().listen({ path: './full.sock', backlog: 1 }))
      await new Promise((resolve) => server.once('listening', resolve))
      const script = `${root}/probe.mjs`
      writeFileSync(
        script,
        `const { probeSocket } = await import(${JSON.stringify(MODULE)})
      for (const name of ['full.sock', 'dead.sock', 'none.sock']) {
        console.log(await probeSocket(${JSON.stringify(root)}, name))
      }`,
      )
      // Nothing is taken from the queue until this turn of the event loop ends, and the script runs within it.
      const waiting: Socket[] = []
      within(root, () => {
        for (let count = 0; count < 8; count++) {
          waiting.push(connect('./full.sock').on('error', () => undefined))
        }
      })
      try {
        expect(runScript(runtime, script)).to.match(/^accepts\nrefused\n(absent|gone)\n$/)
      } finally {
        for (const socket of waiting) socket.destroy()
        server.close()
      }
    },
  )
})
