import { createRequire } from 'node:module'
import { expect } from 'chai'
import * as twin from '../reference/lz4.ts'
import { ascii, BROKEN, GOLDEN } from '../reference/lz4-vectors.ts'
import { xxh64 } from '../reference/xxh64.ts'
import {
  CODEC_TARGETS,
  type CodecExports,
  type CodecKernel,
  type CodecTarget,
  codecKernel,
} from '../support/codec-kernel.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

/** An independent implementation. It returns 0 for a block that it cannot make smaller. */
interface Lz4js {
  compressBlock(s: Uint8Array, t: Uint8Array, at: number, n: number, table: Uint32Array): number
  decompressBlock(s: Uint8Array, t: Uint8Array, at: number, n: number, to: number): number
}

const lz4js = createRequire(import.meta.url)('lz4js') as Lz4js

const REDZONE = 64

/** Mutations of one test; the checked build is slow. */
const MUTATIONS: Readonly<Record<CodecTarget, number>> = { release: 200_000, checked: 20_000 }

/**
 * XXH64 of what the compressor makes of 100, 4,096 and 70,000 bytes of fixed contents. It may change only as the
 * tables of every store do.
 */
const STABLE: readonly (readonly [
  name: string,
  byteAt: (index: number) => number,
  hash: bigint,
])[] = [
  ['zeros', () => 0, 0xbe81e899a49fdac8n],
  ['squares', (index) => (index * index) >> 7, 0x38126d4708b548f3n],
  ['sparse', (index) => (index % 7 === 0 ? (index * 31) % 253 : 7), 0xfd85c70d411afec5n],
  [
    'digits',
    (index) => 48 + (Math.floor((index >> 3) / 10 ** (7 - (index & 7))) % 10),
    0x442a4aa4bff98ea8n,
  ],
  ['noise', (index) => Math.imul(index ^ (index >> 3), 0x9e3779b1) >>> 24, 0x5c29c68399be5ffbn],
]

/** Contents of a given size, from incompressible to constant. */
const CONTENTS: Readonly<Record<string, (random: Random, n: number) => Uint8Array>> = {
  random: (random, n) => random.bytes(n),
  zeros: (_random, n) => new Uint8Array(n),
  text: (random, n) => {
    const words = Array.from({ length: 30 }, () => random.bytes(random.int(2, 12)))
    return fill(n, () => random.pick(words))
  },
  runs: (random, n) =>
    fill(n, () => new Uint8Array(random.int(1, 300)).fill(random.int(random.pick([2, 256])))),
  patterns: (random, n) =>
    fill(n, () => {
      const pattern = random.bytes(random.int(1, 40))
      return fill(random.int(1, 400), () => pattern)
    }),
  halves: (random, n) => fill(n, () => random.bytes(40).fill(7, 20)),
}

function fill(n: number, next: () => Uint8Array): Uint8Array {
  const content = new Uint8Array(n)
  for (let at = 0; at < n; ) {
    const piece = next().subarray(0, n - at)
    content.set(piece, at)
    at += piece.length
  }
  return content
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0
}

function lz4jsDecompress(block: Uint8Array, n: number): Uint8Array {
  const content = new Uint8Array(n)
  expect(lz4js.decompressBlock(block, content, 0, block.length, 0)).to.equal(n)
  return content
}

/** Changes a block as a bad disk or an enemy might. */
function mutate(random: Random, original: Uint8Array): Uint8Array {
  let block = original.slice()
  for (let changes = random.int(1, 4); changes > 0 && block.length > 0; changes--) {
    const at = random.int(block.length)
    const kind = random.int(6)
    if (kind === 0) block[at]! ^= 1 << random.int(8)
    else if (kind === 1) block[at] = random.int(256)
    else if (kind === 2) block[at] = random.pick([0, 0x0f, 0xf0, 0xff])
    else if (kind === 3) block = block.slice(0, at)
    else if (kind === 4) block = Uint8Array.of(...block.subarray(0, at), 255, ...block.subarray(at))
    else block.copyWithin(at, random.int(block.length), block.length)
  }
  return block
}

describe('kernel/lz4', () => {
  for (const target of CODEC_TARGETS) {
    describe(target, () => {
      let kernel: CodecKernel
      let exports: CodecExports
      let source: number
      let result: number
      let table: number
      let memoryEnd: number

      before(async function () {
        this.timeout(60_000)
        kernel = await codecKernel(target)
        exports = kernel.exports
        source = kernel.allocate(200_000)
        result = kernel.allocate(300_000)
        table = kernel.allocate(exports.lz4TableBytes() + REDZONE)
        memoryEnd = kernel.bytes.length
      })

      /** Runs `work` on `n` bytes at `address` and demands that it leaves the bytes around them alone. */
      function fenced<T>(address: number, n: number, work: () => T): T {
        const end = Math.min(address + n + REDZONE, memoryEnd)
        kernel.bytes.fill(0xa5, address - REDZONE, end)
        const value = work()
        for (let at = address - REDZONE; at < end; at++) {
          if (at === address) at += n
          if (at < end && kernel.bytes[at] !== 0xa5) {
            expect.fail(`wrote ${at - address} bytes from the start of a region of ${n}`)
          }
        }
        return value
      }

      /** The compressed block, or `undefined` if it takes more than `capacity`. */
      function compress(content: Uint8Array, capacity: number): Uint8Array | undefined {
        // The source ends where memory does: a read behind it would trap.
        const from = kernel.place(content, memoryEnd - content.length)
        const n = fenced(result, capacity, () =>
          exports.lz4Compress(from, content.length, result, capacity, table),
        )
        expect(n).to.be.within(0, capacity)
        return n === 0 ? undefined : kernel.read(result, n)
      }

      function compressed(content: Uint8Array): Uint8Array {
        const block = compress(content, content.length + Math.ceil(content.length / 255) + 16)
        if (block === undefined) throw new Error('no room in the most that a block can take')
        return block
      }

      /** Decompresses with the source, or else the result, at the very end of memory. */
      function decompress(
        block: Uint8Array,
        n: number,
        atEnd: 'source' | 'result' = 'source',
      ): Uint8Array | undefined {
        const from = atEnd === 'source' ? memoryEnd - block.length : source
        const to = atEnd === 'result' ? memoryEnd - n : result
        kernel.place(block, from)
        const ok = fenced(to, n, () => exports.lz4Decompress(from, block.length, to, n))
        return ok === 0 ? undefined : kernel.read(to, n)
      }

      it('reads blocks written by hand from the rules of the format [TBL-4]', () => {
        for (const [name, bytes, text] of GOLDEN) {
          const block = Uint8Array.from(bytes)
          const content = Uint8Array.from(ascii(text))
          expect(twin.lz4Decompress(block, content.length), name).to.deep.equal(content)
          expect(decompress(block, content.length, 'source'), name).to.deep.equal(content)
          expect(decompress(block, content.length, 'result'), name).to.deep.equal(content)
          expect(lz4jsDecompress(block, content.length), name).to.deep.equal(content)
        }
      })

      it('refuses blocks that break a rule [TBL-10]', () => {
        for (const [name, bytes, n] of BROKEN) {
          const block = Uint8Array.from(bytes)
          expect(decompress(block, n, 'source'), name).to.equal(undefined)
          expect(decompress(block, n, 'result'), name).to.equal(undefined)
        }
        for (const [name, bytes, text] of GOLDEN) {
          const block = Uint8Array.from(bytes)
          expect(decompress(block, text.length + 1), name).to.equal(undefined)
          if (text.length > 0) expect(decompress(block, text.length - 1), name).to.equal(undefined)
          expect(decompress(block.subarray(0, -1), text.length), name).to.equal(undefined)
        }
      })

      it('reads every offset with every length, near the end of the region and far [TBL-4]', () => {
        const random = seededRandom(testSeed())
        for (let offset = 1; offset <= 40; offset++) {
          for (const length of [4, 5, 7, 8, 15, 16, 17, 18, 19, 20, 31, 33, 64, 300]) {
            for (const last of [0, 1, 5, 13, 16, 40]) {
              const sequences: twin.Sequence[] = [
                { literals: random.bytes(offset + random.int(3)), match: { offset, length } },
                { literals: random.bytes(last), match: undefined },
              ]
              const block = twin.encodeSequences(sequences)
              const content = twin.lz4Decompress(block, 1000)!
              expect(decompress(block, content.length, 'result')).to.deep.equal(content)
            }
          }
        }
      })

      it('reads any number of literals, near the end of either region and far [TBL-4]', () => {
        const random = seededRandom(testSeed())
        for (let first = 1; first <= 80; first++) {
          for (let last = 0; last <= 70; last++) {
            const block = twin.encodeSequences([
              { literals: random.bytes(first), match: { offset: 1, length: 4 } },
              { literals: random.bytes(last), match: undefined },
            ])
            const content = twin.lz4Decompress(block, 1000)!
            for (const atEnd of ['source', 'result'] as const) {
              expect(sameBytes(decompress(block, content.length, atEnd), content)).to.equal(true)
            }
          }
        }
      })

      it('reads matches from as far back as there are [TBL-4]', () => {
        const literals = seededRandom(testSeed()).bytes(65_540)
        for (const offset of [65_535, 65_534, 32_768]) {
          const block = twin.encodeSequences([
            { literals, match: { offset, length: 100 } },
            { literals: literals.subarray(0, 5), match: undefined },
          ])
          const content = twin.lz4Decompress(block, 70_000)!
          expect(decompress(block, content.length)).to.deep.equal(content)
        }
      })

      it('writes what it, its twin and lz4js read back [TBL-4]', () => {
        const random = seededRandom(testSeed())
        for (const [name, make] of Object.entries(CONTENTS)) {
          const sizes = [0, 1, 4, 5, 11, 12, 13, 14, 20, 64, 255, 4095, 4096, 4111, 16_384]
          for (const n of [...sizes, random.int(300), random.int(20_000)]) {
            const content = make(random, n)
            const block = compressed(content)
            expect(decompress(block, n, 'source'), `${name} ${n}`).to.deep.equal(content)
            expect(decompress(block, n, 'result'), `${name} ${n}`).to.deep.equal(content)
            expect(twin.lz4Decompress(block, n), `${name} ${n}`).to.deep.equal(content)
            expect(lz4jsDecompress(block, n), `${name} ${n}`).to.deep.equal(content)
          }
        }
      })

      it('writes blocks of more than 64 KiB, with no offset that the format lacks [TBL-4]', () => {
        const random = seededRandom(testSeed())
        const repeating = [65_535, 65_536, 65_600].map((distance) => {
          const piece = random.bytes(distance)
          return fill(150_000, () => piece)
        })
        const others = [CONTENTS['text']!(random, 150_000), new Uint8Array(150_000)]
        for (const content of [...repeating, ...others]) {
          const block = compressed(content)
          expect(sameBytes(decompress(block, content.length), content)).to.equal(true)
          expect(sameBytes(lz4jsDecompress(block, content.length), content)).to.equal(true)
        }
      })

      it('reads what lz4js and its twin write [TBL-4]', () => {
        const random = seededRandom(testSeed())
        for (const [name, make] of Object.entries(CONTENTS)) {
          for (const n of [0, 13, 20, 100, 700, 4096, random.int(2000)]) {
            const content = make(random, n)
            const room = new Uint8Array(n * 2 + 100)
            const written = lz4js.compressBlock(content, room, 0, n, new Uint32Array(65_536))
            if (written > 0) {
              const block = room.subarray(0, written)
              expect(decompress(block, n, 'result'), `${name} ${n}`).to.deep.equal(content)
            }
            if (n > 1000) continue
            expect(decompress(twin.lz4Compress(content), n), `${name} ${n}`).to.deep.equal(content)
          }
        }
      })

      it('ends blocks with 5 literals and starts no match in the last 12 bytes [TBL-4]', () => {
        for (let n = 0; n <= 60; n++) {
          const block = compressed(new Uint8Array(n))
          if (n < 13) {
            expect(block).to.deep.equal(Uint8Array.of(n << 4, ...new Uint8Array(n)))
          } else {
            // One literal, a match up to 5 from the end, 5 literals.
            expect([...block.subarray(-6)]).to.deep.equal([0x50, 0, 0, 0, 0, 0])
            expect([...block.subarray(0, 4)]).to.deep.equal([0x10 | Math.min(15, n - 10), 0, 1, 0])
          }
        }
      })

      it('fits exactly or returns 0, and keeps to its capacity [TBL-4]', () => {
        const random = seededRandom(testSeed())
        for (const make of Object.values(CONTENTS)) {
          for (const n of [0, 1, 12, 13, 40, 300, 1000]) {
            const content = make(random, n)
            const block = compressed(content)
            expect(compress(content, block.length)).to.deep.equal(block)
            const steps = Math.max(1, Math.floor(block.length / 50))
            for (let capacity = block.length - 1; capacity >= 0; capacity -= steps) {
              expect(compress(content, capacity)).to.equal(undefined)
            }
          }
        }
      })

      it('compresses 4 KiB of repeating words to less than half [TBL-4]', () => {
        const content = CONTENTS['text']!(seededRandom(1), 4096)
        expect(compressed(content).length).to.be.lessThan(2048)
        expect(compressed(new Uint8Array(4096)).length).to.be.lessThan(32)
      })

      it('gives the same bytes whatever its scratch held, within its scratch [TBL-11]', () => {
        const random = seededRandom(testSeed())
        const content = CONTENTS['text']!(random, 4096)
        const expected = compressed(content)
        const bytes = exports.lz4TableBytes()
        for (let round = 0; round < 5; round++) {
          kernel.place(random.bytes(bytes), table)
          kernel.bytes.fill(0xa5, table + bytes, table + bytes + REDZONE)
          expect(compressed(content)).to.deep.equal(expected)
          const zone = kernel.read(table + bytes, REDZONE)
          expect(zone.every((byte) => byte === 0xa5)).to.equal(true)
        }
      })

      it('gives the bytes that it has always given [TBL-11]', () => {
        for (const [name, byteAt, expected] of STABLE) {
          const blocks = [100, 4096, 70_000].map((n) =>
            compressed(Uint8Array.from({ length: n }, (_, index) => byteAt(index))),
          )
          const hash = xxh64(Buffer.concat(blocks), 0n)
          expect(`${name} ${hash.toString(16)}`).to.equal(`${name} ${expected.toString(16)}`)
        }
      })

      it('takes mutated blocks as its twin does, inside its regions [TBL-10]', function () {
        this.timeout(120_000)
        const random = seededRandom(testSeed())
        const makes = Object.values(CONTENTS)
        let accepted = 0
        for (let round = 0; round < MUTATIONS[target]; round += 20) {
          const n = random.int(random.pick([20, 60, 100, 200, 700, 4200]))
          const original = compressed(random.pick(makes)(random, n))
          for (let variant = 0; variant < 20; variant++) {
            const block = mutate(random, original)
            const expected = twin.lz4Decompress(block, n)
            const content = decompress(block, n, variant % 2 === 0 ? 'source' : 'result')
            if (content !== undefined) accepted++
            const wanted = expected?.length === n ? expected : undefined
            if (!sameBytes(content, wanted)) {
              expect.fail(`${n} bytes from ${Buffer.from(block).toString('hex')}`)
            }
          }
        }
        expect(accepted).to.be.greaterThan(MUTATIONS[target] / 100)
        expect(accepted).to.be.lessThan(MUTATIONS[target])
      })
    })
  }
})
