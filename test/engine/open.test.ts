import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open as openStore, openWith } from '../../src/engine/open.ts'
import type { ResolvedOptions } from '../../src/engine/options.ts'
import { SedgeError } from '../../src/errors.ts'
import { caught } from '../support/fake-database.ts'
import { FakeEngine } from '../support/fake-engine.ts'
import { tempDirectory } from '../support/temp.ts'

const engine = new FakeEngine()
const openFake = openWith(async () => engine)

describe('engine/open', () => {
  it('gives the engine the path and all options, decided [OPT-1]', async () => {
    const given: [string, ResolvedOptions][] = []
    const open = openWith(async (path, options) => {
      given.push([path, options])
      return new FakeEngine()
    })
    await open('/a/b', { durability: 'disk', keyEncoding: 'binary' })
    await open('/c/../c')
    expect(given.map(([path]) => path)).to.deep.equal(['/a/b', '/c/../c'])
    expect(given.map(([, options]) => options.durability)).to.deep.equal(['disk', 'process'])
    expect(given[1]?.[1].cacheSize).to.be.within(16 * 2 ** 20, 256 * 2 ** 20)
    expect(given[0]?.[1]).not.to.have.property('keyEncoding')
  })

  it('opens with the encodings of its options, utf8 by default [API-2, API-5]', async () => {
    const plain = await openFake('p')
    await plain.put('a', '1')
    expect(await plain.get('a')).to.equal('1')
    const other = await openFake('p', { keyEncoding: 'buffer', valueEncoding: 'json' })
    expect(await other.iterator().all()).to.deep.equal([[Buffer.from('a'), 1]])
  })

  it('rejects wrong arguments and opens nothing [API-1, ERR-2]', async () => {
    let opens = 0
    const open = openWith(async () => {
      opens++
      return new FakeEngine()
    })
    const none = undefined as never
    for (const path of [none, null as never, 5 as never]) {
      expect(await caught(() => open(path))).to.be.instanceOf(TypeError)
    }
    for (const path of ['', 'a\0b']) {
      expect(await caught(() => open(path))).to.be.instanceOf(RangeError)
    }
    expect(await caught(() => open('p', null as never))).to.be.instanceOf(TypeError)
    const wrong = [{ keyEncoding: 'x' }, { valueEncoding: 'x' }, { maxLevels: 1 }, { max: 1 }]
    for (const options of wrong) {
      expect(await caught(() => open('p', options as never))).to.be.instanceOf(RangeError)
    }
    expect(opens).to.equal(0)
  })

  it('passes on why the engine does not open [ERR-1]', async () => {
    const locked = new SedgeError('LOCKED', 'the store is open elsewhere')
    const open = openWith(() => Promise.reject(locked))
    expect(await caught(() => open('p'))).to.equal(locked)
  })

  it('stays where it is when the process goes to another directory [API-24]', async () => {
    const [here, before] = [tempDirectory(), process.cwd()]
    mkdirSync(join(here, 'elsewhere', 'data'), { recursive: true })
    try {
      process.chdir(here)
      const db = await openStore('data', { memtableSize: 65_536 })
      process.chdir('elsewhere')
      for (let index = 0; index < 300; index++) await db.put(`key ${index}`, 'v'.repeat(1000))
      await db.compact()
      expect((await db.verify()).problems).to.deep.equal([])
      await db.close()
    } finally {
      process.chdir(before)
    }
    expect(readdirSync(join(here, 'elsewhere', 'data'))).to.deep.equal([])
    const again = await openStore(join(here, 'data'), { readOnly: true })
    expect((await again.keys().all()).length).to.equal(300)
    await again.close()
  })
})
