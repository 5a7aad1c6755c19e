import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { expect } from 'chai'
import {
  directoryIdentity,
  parseStat,
  processEvidence,
  processIdentity,
} from '../../src/env/process-identity.ts'
import { tempDirectory } from '../support/temp.ts'

/** A line of the process table: state, seventeen numbers of which the last counts threads, and the start. */
function statLine(
  pid: number,
  name: string,
  state: string,
  threads: number,
  start: string,
): string {
  const between = Array.from({ length: 16 }, () => '0').join(' ')
  return `${pid} (${name}) ${state} ${between} ${threads} 0 ${start} 0 0\n`
}

describe('env/process-identity', () => {
  it('knows this process [LOCK-13]', () => {
    const own = processIdentity()
    expect(own.pid).to.equal(process.pid)
    expect(own.platform).to.equal(process.platform)
    expect(processEvidence(own.pid, own.startTime)).to.equal('running')
    if (process.platform === 'linux') {
      expect(own.startTime).to.match(/^\d+$/)
      expect(own.bootId).to.match(/^[0-9a-f-]{36}$/)
      expect(own.pidNamespace).to.match(/^pid:\[\d+\]$/)
    }
  })

  it('tells a process from a later one with its number, and from none [LOCK-13]', async () => {
    const child = spawn('sleep', ['60'])
    const pid = child.pid!
    expect(processEvidence(pid, undefined)).to.equal('running')
    if (process.platform === 'linux') expect(processEvidence(pid, '1')).to.equal('replaced')
    child.kill('SIGKILL')
    await new Promise((resolve) => child.on('exit', resolve))
    expect(processEvidence(pid, undefined)).to.equal('gone')
  })

  it('reads the process table, whatever a program is called [LOCK-13]', () => {
    const names = ['node', 'a b', 'x) R 1 (y', ')', '((']
    for (const name of names) {
      const found = parseStat(statLine(7, name, 'S', 3, '555'), 7)
      expect(found, name).to.deep.equal({ startTime: '555', isZombie: false })
    }
    expect(parseStat(statLine(7, 'node', 'Z', 1, '5'), 7)?.isZombie).to.equal(true)
    expect(parseStat(statLine(7, 'node', 'Z', 2, '5'), 7)?.isZombie).to.equal(false)
  })

  it('takes no fact from a line that it does not understand [LOCK-8]', () => {
    const lines = [
      undefined,
      '',
      '7',
      '7 (node',
      '7 (node) S 1 2',
      statLine(8, 'node', 'S', 1, '5'),
    ]
    for (const line of lines) expect(parseStat(line, 7)).to.equal(undefined)
    expect(parseStat(statLine(7, 'node', 'S', 1, '-5'), 7)).to.equal(undefined)
  })

  it('gives a directory one identity by all its paths [LOCK-1]', () => {
    const root = tempDirectory()
    mkdirSync(`${root}/a`)
    symlinkSync('a', `${root}/b`)
    expect(directoryIdentity(`${root}/b/../b/.`)).to.deep.equal(directoryIdentity(`${root}/a`))
    expect(directoryIdentity(root).inode).not.to.equal(directoryIdentity(`${root}/a`).inode)
    expect(() => directoryIdentity(`${root}/c`))
      .to.throw()
      .with.property('code', 'ENOENT')
  })
})
