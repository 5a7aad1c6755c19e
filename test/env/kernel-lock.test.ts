import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { isKernelLockFree, takeKernelLock } from '../../src/env/kernel-lock.ts'
import { runScript, runtimes } from '../support/runtimes.ts'
import { tempDirectory } from '../support/temp.ts'

const CHILD = fileURLToPath(new URL('../support/kernel-lock-child.js', import.meta.url))

describe('env/kernel-lock', () => {
  it('is not to be had on Node [LOCK-17]', () => {
    expect(takeKernelLock(tempDirectory())).to.equal(undefined)
    expect(isKernelLockFree(tempDirectory())).to.equal(false)
  })

  it('excludes on Deno, survives a crash and removes its file [LOCK-17, LOCK-19]', function () {
    const deno = runtimes().find(({ name }) => name === 'deno')
    if (deno === undefined) return this.skip()
    this.timeout(60_000)
    const args = ['run', '--quiet', '--no-prompt', '--no-lock', '--allow-read', '--allow-write']
    const output = runScript({ ...deno, args }, CHILD, { args: [tempDirectory()] })
    expect(JSON.parse(output)).to.deep.equal({
      'free at first': true,
      taken: 'object',
      'taken again': 'busy',
      'free while taken': false,
      files: ['LOCK'],
      'files after': [],
      'free after a crash': true,
      'taken after a crash': 'object',
      'through a link': null,
      'free through a link': false,
      'files at last': ['LOCK'],
    })
  })
})
