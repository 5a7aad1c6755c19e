/** XXH64, LZ4 and the filters: the kernel's, their twins in TypeScript, and what others have written. */
import { createRequire } from 'node:module'
import { hash64, loadChecksums } from '../src/util/checksum.ts'
import * as filterTwin from '../test/reference/bloom-filter.ts'
import * as lz4Twin from '../test/reference/lz4.ts'
import { xxh64 as hashTwin } from '../test/reference/xxh64.ts'
import { type CodecKernel, codecKernel, halves } from '../test/support/codec-kernel.ts'
import type { Random } from '../test/support/seed.ts'
import { sized } from './settings.ts'
import { compare } from './suite.ts'

interface Lz4js {
  compressBlock(s: Uint8Array, t: Uint8Array, at: number, n: number, table: Uint32Array): number
  decompressBlock(s: Uint8Array, t: Uint8Array, at: number, n: number, to: number): number
}

const lz4js = createRequire(import.meta.url)('lz4js') as Lz4js

const HASH_SEED = 0x0123_4567_89ab_cdefn
const FILTER_BITS = 10

export async function benchCodecs(random: Random): Promise<void> {
  const kernel = await codecKernel('release')
  await loadChecksums()
  for (const bytes of [16, 4096]) benchHash(kernel, random.bytes(bytes))
  benchLz4(kernel, halfCompressible(random, 4096))
  benchFilter(kernel, random)
}

function benchHash(kernel: CodecKernel, input: Uint8Array): void {
  const { exports } = kernel
  const at = kernel.place(input)
  const out = kernel.allocate(8)
  const [low, high] = halves(HASH_SEED)
  compare(`XXH64 of ${input.length} bytes`, 1, {
    kernel: () => {
      exports.putXxh64(at, input.length, low, high, out)
      return kernel.bytes[out]
    },
    'kernel, bytes copied in': () => {
      kernel.place(input, at)
      exports.putXxh64(at, input.length, low, high, out)
      return kernel.readU64(out)
    },
    'xxhash-wasm': () => hash64(input, HASH_SEED),
    twin: () => hashTwin(input, HASH_SEED),
  })
}

/** Random bytes, half of them repeated. */
function halfCompressible(random: Random, bytes: number): Uint8Array {
  const content = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 64) {
    content.set(random.bytes(Math.min(32, bytes - at)), at)
    content.set(content.subarray(at, at + 32), Math.min(at + 32, bytes - 32))
  }
  return content
}

function benchLz4(kernel: CodecKernel, content: Uint8Array): void {
  const { exports } = kernel
  const n = content.length
  const at = kernel.place(content)
  const room = 2 * n
  const packed = kernel.allocate(room)
  const back = kernel.allocate(n)
  const table = kernel.allocate(exports.lz4TableBytes())
  const scratch = new Uint8Array(room)
  const jsTable = new Uint32Array(65_536)
  compare(`LZ4, compressing ${n} bytes`, 1, {
    kernel: () => exports.lz4Compress(at, n, packed, room, table),
    lz4js: () => lz4js.compressBlock(content, scratch, 0, n, jsTable.fill(0)),
    twin: () => lz4Twin.lz4Compress(content),
  })
  const packedBytes = exports.lz4Compress(at, n, packed, room, table)
  const block = kernel.read(packed, packedBytes)
  compare(`LZ4, decompressing ${packedBytes} to ${n} bytes`, 1, {
    kernel: () => exports.lz4Decompress(packed, packedBytes, back, n),
    lz4js: () => lz4js.decompressBlock(block, scratch, 0, packedBytes, 0),
    twin: () => lz4Twin.lz4Decompress(block, n),
  })
}

function benchFilter(kernel: CodecKernel, random: Random): void {
  const keys = sized(10_000, 100)
  const { exports } = kernel
  const lines = exports.bloomFilterLines(keys, FILTER_BITS)
  const probes = exports.bloomFilterProbes(FILTER_BITS)
  const at = kernel.allocate(lines * 64)
  const hashes = Array.from({ length: keys }, () => {
    return new DataView(random.bytes(8).buffer).getBigUint64(0)
  })
  for (const hash of hashes) exports.bloomFilterAddHash(at, lines, probes, ...halves(hash))
  const bits = kernel.read(at, lines * 64)
  // Half of what is asked for is there.
  const asked = hashes.map((hash, i) => (i % 2 === 0 ? hash : hash ^ 1n))
  const pairs = asked.map(halves)
  let next = 0
  const turn = (): number => (next = (next + 1) % keys)
  compare(`filter of ${keys} keys, looking one up`, 1, {
    kernel: () => {
      const [low, high] = pairs[turn()]!
      return exports.bloomFilterMayContainHash(at, lines, probes, low, high)
    },
    twin: () => filterTwin.bloomFilterMayContain(bits, probes, asked[turn()]!),
  })
}
