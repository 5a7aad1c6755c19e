import { expect } from 'chai'
import { SedgeError } from '../../src/errors.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import {
  CHUNK_BYTES,
  chunkedBytes,
  copyChunks,
  decodeReference,
  readChunks,
  verifyChunks,
  writeChunks,
} from '../../src/util/value-chunks.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const IDENTITY = 0xfedcba9876543210n
const LENGTHS = [1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001]

/** A file whose reads and writes are short at random. */
class ShortFile {
  bytes: Uint8Array = new Uint8Array(0)
  readonly #random = seededRandom(testSeed())

  read(target: Uint8Array, position: number): number {
    const rest = this.bytes.subarray(position, position + target.length)
    const count = rest.length === 0 ? 0 : this.#random.int(1, rest.length + 1)
    target.set(rest.subarray(0, count))
    return count
  }

  write(source: Uint8Array, position: number): number {
    const count = this.#random.int(1, source.length + 1)
    const size = Math.max(this.bytes.length, position + count)
    const bytes = new Uint8Array(size)
    bytes.set(this.bytes)
    bytes.set(source.subarray(0, count), position)
    this.bytes = bytes
    return count
  }
}

describe('util/value-chunks', () => {
  before(loadChecksums)

  it('stores a checksum behind every 65,536 bytes [LOG-6]', () => {
    expect(chunkedBytes(0)).to.equal(0)
    expect(chunkedBytes(1)).to.equal(9)
    expect(chunkedBytes(65_536)).to.equal(65_544)
    expect(chunkedBytes(65_537)).to.equal(65_553)
    expect(chunkedBytes(100 * 2 ** 20)).to.equal(100 * 2 ** 20 + 1600 * 8)
  })

  it('reads back what it wrote, through short reads and writes [LOG-6]', () => {
    const random = seededRandom(testSeed())
    for (const length of LENGTHS) {
      const value = random.bytes(length)
      const file = new ShortFile()
      expect(writeChunks(file, 40, IDENTITY, value)).to.equal(chunkedBytes(length))
      expect(file.bytes.length).to.equal(40 + chunkedBytes(length))
      const target = new Uint8Array(length + 5)
      readChunks(file, 'a.val', 40, IDENTITY, length, target, 5)
      expect(Buffer.compare(target.subarray(5), value)).to.equal(0)
    }
  })

  it('copies to another file and place, chunk by chunk, sealed anew [TBL-9]', () => {
    const random = seededRandom(testSeed())
    for (const length of LENGTHS) {
      const value = random.bytes(length)
      const from = new ShortFile()
      const to = new ShortFile()
      writeChunks(from, 8, IDENTITY, value)
      const seen: Uint8Array[] = []
      const onBytes = (stored: Uint8Array): number => seen.push(stored.slice())
      let steps = 0
      for (const _ of copyChunks(from, 'a.val', 8, IDENTITY, to, 72, 5n, length, onBytes)) steps++
      expect(steps).to.equal(Math.ceil(length / CHUNK_BYTES))
      expect(Buffer.compare(Buffer.concat(seen), to.bytes.subarray(72))).to.equal(0)
      const target = new Uint8Array(length)
      readChunks(to, 'b.sst', 72, 5n, length, target, 0)
      expect(Buffer.compare(target, value)).to.equal(0)
    }
  })

  it('refuses any flipped bit, any other place and any other file [LOG-6] [TBL-9]', () => {
    const random = seededRandom(testSeed())
    const length = CHUNK_BYTES + 100
    const file = new ShortFile()
    writeChunks(file, 0, IDENTITY, random.bytes(length))
    const target = new Uint8Array(length)
    const read = (identity = IDENTITY): void =>
      readChunks(file, 'a.val', 0, identity, length, target, 0)
    for (let round = 0; round < 50; round++) {
      const at = random.int(file.bytes.length)
      const bit = 1 << random.int(8)
      file.bytes[at]! ^= bit
      const error = thrownBy(read)
      file.bytes[at]! ^= bit
      expect(error.code).to.equal('CORRUPTION')
      expect(error.file).to.equal('a.val')
      expect(error.offset).to.equal(at < CHUNK_BYTES + 8 ? 0 : CHUNK_BYTES + 8)
      expect(error.expected).to.not.equal(error.actual)
    }
    expect(thrownBy(() => read(IDENTITY + 1n)).code).to.equal('CORRUPTION')
    file.bytes = Buffer.concat([new Uint8Array(1), file.bytes])
    expect(thrownBy(read).code).to.equal('CORRUPTION')
  })

  it('refuses a file that ends within the value [LOG-6]', () => {
    const file = new ShortFile()
    writeChunks(file, 0, IDENTITY, new Uint8Array(500))
    file.bytes = file.bytes.subarray(0, 507)
    const target = new Uint8Array(500)
    const error = thrownBy(() => readChunks(file, 'a.val', 0, IDENTITY, 500, target, 0))
    expect(error).to.include({ code: 'CORRUPTION', offset: 0, expected: 508, actual: 507 })
  })

  it('does not copy a damaged chunk [TBL-9]', () => {
    const from = new ShortFile()
    const to = new ShortFile()
    writeChunks(from, 0, IDENTITY, new Uint8Array(500))
    from.bytes[3]! ^= 1
    const copy = copyChunks(from, 'a.val', 0, IDENTITY, to, 0, 5n, 500, () => undefined)
    expect(thrownBy(() => copy.next()).code).to.equal('CORRUPTION')
    expect(to.bytes.length).to.equal(0)
  })

  it('copies a damaged chunk as damaged where that is wanted, and from then on by itself [TBL-12]', () => {
    const length = 3 * CHUNK_BYTES
    const stored = CHUNK_BYTES + 8
    const value = seededRandom(testSeed()).bytes(length)
    const copied = (from: ShortFile, name: string, onDamage?: (error: SedgeError) => void) => {
      const to = new ShortFile()
      const whole = chunkedBytes(length)
      const steps = copyChunks(from, name, 0, 5n, to, 0, 5n, length, () => undefined, onDamage)
      expect([...steps]).to.have.length(3)
      expect(to.bytes.length).to.equal(whole)
      return to
    }
    const read = (file: ShortFile, chunk: number): Uint8Array => {
      const target = new Uint8Array(CHUNK_BYTES)
      readChunks(file, 'b.sst', chunk * stored, 5n, CHUNK_BYTES, target, 0)
      return target
    }
    const file = new ShortFile()
    writeChunks(file, 0, 5n, value)
    file.bytes[stored + 7]! ^= 1
    file.bytes = file.bytes.subarray(0, 2 * stored + 100)
    const told: SedgeError[] = []
    let copy = copied(file, 'a.val', (error) => told.push(error))
    expect(told.map(({ offset }) => offset)).to.deep.equal([stored, 2 * stored])
    for (let round = 0; round < 3; round++) {
      expect(Buffer.compare(read(copy, 0), value.subarray(0, CHUNK_BYTES))).to.equal(0)
      for (const chunk of [1, 2]) {
        const error = thrownBy(() => read(copy, chunk))
        expect(error).to.include({ code: 'CORRUPTION', offset: chunk * stored })
        const mark = BigInt(`0x${error.expected}`) ^ BigInt(`0x${error.actual}`)
        expect(mark).to.equal(2n ** 64n - 1n)
      }
      copy = copied(copy, 'b.sst')
    }
    // Damage that nobody has marked is refused as ever.
    copy.bytes[3]! ^= 1
    expect(thrownBy(() => copied(copy, 'b.sst'))).to.include({ code: 'CORRUPTION', offset: 0 })
  })

  it('verifies a value chunk by chunk, without keeping it [LOG-6]', () => {
    const value = seededRandom(testSeed()).bytes(200_001)
    const file = new ShortFile()
    writeChunks(file, 40, IDENTITY, value)
    expect([...verifyChunks(file, 'a.val', 40, IDENTITY, 200_001)]).to.have.length(4)
    file.bytes[40 + 2 * (CHUNK_BYTES + 8) + 5]! ^= 1
    const steps = verifyChunks(file, 'a.val', 40, IDENTITY, 200_001)
    steps.next()
    steps.next()
    const damage = { code: 'CORRUPTION', file: 'a.val', offset: 40 + 2 * (CHUNK_BYTES + 8) }
    expect(() => steps.next())
      .to.throw(SedgeError)
      .that.includes(damage)
    expect(() => verifyChunks(file, 'a.val', 2 ** 30, IDENTITY, 1).next()).to.throw('ends within')
  })

  it('reads references below 2^48 [LOG-6]', () => {
    const bytes = new Uint8Array(16)
    const view = new DataView(bytes.buffer)
    view.setBigUint64(0, 70_000n, true)
    view.setBigUint64(8, 2n ** 48n - 1n, true)
    expect(decodeReference(bytes)).to.deep.equal({ length: 70_000, offset: 2 ** 48 - 1 })
    for (const [at, much] of [
      [8, 2n ** 48n],
      [8, 2n ** 56n],
      [0, 2n ** 48n],
      [0, 2n ** 63n],
    ] as const) {
      const wrong = bytes.slice()
      new DataView(wrong.buffer).setBigUint64(at, much, true)
      expect(() => decodeReference(wrong)).to.throw('cannot be')
    }
  })
})

function thrownBy(action: () => unknown): SedgeError {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(SedgeError)
    return error as SedgeError
  }
  return expect.fail('nothing was thrown')
}
