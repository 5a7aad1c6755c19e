import { expect } from 'chai'
import { toHex } from '../../src/util/bytes.ts'
import { ByteReader, ByteWriter, DecodeError } from '../../src/util/coding.ts'
import { encodeVarint } from '../reference/varint.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const LARGEST = Number.MAX_SAFE_INTEGER

describe('util/coding', () => {
  it('writes integers little-endian', () => {
    const writer = new ByteWriter()
      .u8(1)
      .u16(0x0203)
      .u32(0x04050607)
      .u64(2 ** 40 + 8)
    writer.i64(-2).hash64(0xfedcba9876543210n).zeros(2)
    expect(writer.length).to.equal(33)
    expect(toHex(writer.finish())).to.equal(
      '01' +
        '0302' +
        '07060504' +
        '0800000000010000' +
        'feffffffffffffff' +
        '1032547698badcfe' +
        '0000',
    )
  })

  it('reads back what it wrote', () => {
    const random = seededRandom(testSeed())
    const edges = [0, 1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32 - 1, 2 ** 32, LARGEST]
    const numbers = [...edges, ...Array.from({ length: 500 }, () => anyWhole(random.float()))]
    const writer = new ByteWriter(1)
    for (const number of numbers) {
      writer
        .u64(number)
        .i64(-number)
        .varint(number)
        .prefixed(random.bytes(number % 5))
    }
    const reader = new ByteReader(writer.finish())
    for (const number of numbers) {
      expect(reader.u64()).to.equal(number)
      expect(reader.i64()).to.equal(0 - number)
      expect(reader.varint()).to.equal(number)
      expect(reader.prefixed().length).to.equal(number % 5)
    }
    expect(reader.remaining).to.equal(0)
  })

  it('reads numbers with a sign in their lowest bit', () => {
    const zigzag = (bytes: Uint8Array): number => new ByteReader(bytes).zigzag()
    for (const [byte, number] of [0, -1, 1, -2, 2].entries()) {
      expect(zigzag(Uint8Array.of(byte))).to.equal(number)
    }
    for (const number of [63, 64, 8191, 8192, 2 ** 40, LARGEST]) {
      const positive = encodeVarint(2n * BigInt(number))
      expect(zigzag(positive)).to.equal(number)
      expect(zigzag(encodeVarint(2n * BigInt(number) - 1n))).to.equal(-number)
      expectDecodeError(() => zigzag(positive.subarray(0, -1)), positive.length - 1)
    }
    expectDecodeError(() => zigzag(encodeVarint(2n ** 54n)), 0)
    expectDecodeError(() => zigzag(encodeVarint(2n ** 54n - 1n)), 0)
    expectDecodeError(() => zigzag(Uint8Array.of(0x80, 0)), 0)
    expectDecodeError(() => zigzag(new Uint8Array(12).fill(0x81)), 0)
  })

  it('refuses to read beyond the end and says where', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3, 0x85, 1))
    reader.u8()
    expectDecodeError(() => reader.u64(), 1)
    expectDecodeError(() => reader.u32().toString() + reader.u8(), 5)
    expectDecodeError(() => new ByteReader(Uint8Array.of(0x80, 0x80)).varint(), 2)
    expectDecodeError(() => new ByteReader(Uint8Array.of(0, 3, 1, 2), 1).prefixed(), 1)
  })

  it('refuses a length of any size before it allocates', () => {
    for (const length of [4, 2 ** 31, 2 ** 32, LARGEST]) {
      const bytes = new ByteWriter().varint(length).zeros(3).finish()
      expectDecodeError(() => new ByteReader(bytes).prefixed(), 0)
    }
  })

  it('refuses padded, overlong and oversized numbers', () => {
    expectDecodeError(() => new ByteReader(Uint8Array.of(0x80, 0)).varint(), 0)
    expectDecodeError(() => new ByteReader(new Uint8Array(12).fill(0x80)).varint(), 0)
    expectDecodeError(() => new ByteReader(Uint8Array.of(...Array(7).fill(255), 127)).varint(), 0)
    const beyond = Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0)
    expectDecodeError(() => new ByteReader(beyond).u64(), 0)
    expectDecodeError(() => new ByteReader(beyond).i64(), 0)
  })

  it('treats a number that it cannot hold as a bug of the caller', () => {
    for (const number of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => new ByteWriter().u64(number)).to.throw('internal error')
      expect(() => new ByteWriter().varint(number)).to.throw('internal error')
    }
  })
})

/** Whole numbers of all magnitudes. */
function anyWhole(fraction: number): number {
  return Math.floor(2 ** (53 * fraction)) - 1
}

function expectDecodeError(action: () => unknown, offset: number): void {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(DecodeError)
    expect((error as DecodeError).offset).to.equal(offset)
    return
  }
  expect.fail('nothing was thrown')
}
