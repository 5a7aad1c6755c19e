import { expect } from 'chai'
import { Remover } from '../../src/engine/remover.ts'
import { nodeEnvironment } from '../../src/env/environment.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { SedgeError } from '../../src/errors.ts'

const DIRECTORY = '/store'

describe('engine/remover', () => {
  let fs: MemoryFileSystem
  let errors: SedgeError[]
  /** What was put off to the next turn. */
  let turns: (() => void)[]
  let remover: Remover
  let next: number

  beforeEach(() => {
    fs = new MemoryFileSystem()
    fs.makeDirectory(DIRECTORY)
    errors = []
    turns = []
    next = 0
    const env = nodeEnvironment({ fs, defer: (fn) => void turns.push(fn) })
    remover = new Remover(env, DIRECTORY, (error) => errors.push(error))
  })

  function add(count: number): void {
    for (let n = 0; n < count; n++, next++) {
      fs.open(`${DIRECTORY}/${next}`, 'create').close()
      remover.remove(String(next))
    }
  }

  const left = (): number => fs.list(DIRECTORY).length

  it('removes one file in each turn, the oldest first', async () => {
    add(3)
    expect(left()).to.equal(3)
    for (const rest of [['1', '2'], ['2'], []]) {
      expect(turns).to.have.length(1)
      turns.pop()?.()
      expect(fs.list(DIRECTORY)).to.deep.equal(rest)
    }
    expect(turns).to.have.length(0)
  })

  it('keeps few files waiting for a caller who never gives way', () => {
    add(100)
    expect(left()).to.be.within(1, 50)
  })

  it('settles when what waited is removed, whatever has come since', async () => {
    await remover.settle()
    add(2)
    let isSettled = false
    const settled = remover.settle().then(() => {
      isSettled = true
    })
    while (!isSettled) {
      add(1)
      turns.shift()?.()
      await Promise.resolve()
      await Promise.resolve()
    }
    await settled
    expect(left()).to.be.greaterThan(0)
  })

  it('tells what cannot be removed, and goes on', async () => {
    remover.remove('gone')
    add(1)
    while (turns.length > 0) turns.shift()?.()
    await remover.settle()
    expect(errors.map(({ code, file }) => [code, file])).to.deep.equal([['IO', 'gone']])
    expect(left()).to.equal(0)
  })
})
