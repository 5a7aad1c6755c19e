import { expect } from 'chai'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { open } from '../../src/index.ts'

const VALUE_BYTES = 300_000

describe('regression/scan-memory', () => {
  for (const reverse of [false, true]) {
    it(`reads large values a few at a time, not by the batch, ${reverse ? 'backwards' : 'forwards'} [API-14, KRN-9]`, async () => {
      const db = await open('/store', {
        fs: new MemoryFileSystem(),
        keyEncoding: 'binary',
        valueEncoding: 'binary',
      })
      const value = new Uint8Array(VALUE_BYTES)
      for (let i = 0; i < 40; i++) await db.put(Uint8Array.of(i), value.fill(i))
      await db.flush()
      const before = db.stats().bytesRead
      const values = db.valuesSync({ reverse })
      expect(values.next().value?.[0]).to.equal(reverse ? 39 : 0)
      expect(db.stats().bytesRead - before).to.be.lessThan(3 * VALUE_BYTES)
      const rest = values.all()
      expect(rest.map((one) => one[0])).to.deep.equal(
        Array.from({ length: 39 }, (_, i) => (reverse ? 38 - i : i + 1)),
      )
      await db.close()
    })
  }
})
