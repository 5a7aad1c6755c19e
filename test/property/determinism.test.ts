/** The same operations, clock and chance give the same tables, byte for byte. */
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type Compression, tableDigest } from '../support/deterministic-tables.ts'
import { eachRuntime, runScript } from '../support/runtimes.ts'
import { testSeed } from '../support/seed.ts'

const CHILD = fileURLToPath(new URL('../support/deterministic-tables.js', import.meta.url))
const COMPRESSIONS: readonly Compression[] = ['none', 'lz4']

describe('property/determinism', () => {
  let expected: string[] = []

  before(async () => {
    expected = await Promise.all(COMPRESSIONS.map((name) => tableDigest(testSeed(), name)))
  })

  it('makes the same tables a second time, and others of other operations [OPT-10]', async () => {
    for (const [index, name] of COMPRESSIONS.entries()) {
      expect(await tableDigest(testSeed(), name)).to.equal(expected[index])
      expect(await tableDigest(testSeed() + 1, name)).not.to.equal(expected[index])
    }
    expect(expected[0]).not.to.equal(expected[1])
  })

  it('makes the same tables whether writes are awaited or synchronous [OPT-10]', async () => {
    for (const [index, name] of COMPRESSIONS.entries()) {
      expect(await tableDigest(testSeed(), name, 'sync')).to.equal(expected[index])
    }
  })

  eachRuntime('makes the same tables on every runtime [OPT-10]', (runtime) => {
    const output = runScript(runtime, CHILD, { args: [String(testSeed())] })
    expect(output.trim().split(' ')).to.deep.equal(expected)
  })
})
