/**
 * The codecs of assembly/ in a WebAssembly instance of their own, so that they can be tested without the rest
 * of the kernel. Compiled in memory with the options of asconfig.json, as released and as checked (with
 * assertions); kept by content in the system's temporary folder, because a compilation takes seconds.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { instantiateSync } from '@assemblyscript/loader'
import { main, version } from 'assemblyscript/asc'
import { projectPath, projectText } from './project.ts'

export type CodecTarget = 'release' | 'checked'

export const CODEC_TARGETS: readonly CodecTarget[] = ['release', 'checked']

/** test/kernel/assembly/codecs.ts. Addresses and u32 come out as signed 32-bit numbers. */
export interface CodecExports extends Record<string, unknown> {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  heapBase(): number
  compareBytes(a: number, aBytes: number, b: number, bBytes: number): number
  commonPrefix(a: number, aBytes: number, b: number, bBytes: number): number
  copyBytes(target: number, source: number, n: number): void
  putHead64(p: number, n: number, out: number): void
  areEqualBytes(a: number, b: number, n: number): number
  copyWords(to: number, from: number, n: number): void
  varintBytesOf(low: number, high: number): number
  putVarintOf(p: number, low: number, high: number): number
  readVarintTo(p: number, end: number, out: number): number
  putXxh64(p: number, n: number, low: number, high: number, out: number): void
  xxh64StateBytes(): number
  xxh64ResetTo(state: number, low: number, high: number): void
  xxh64Update(state: number, p: number, n: number): void
  putXxh64Digest(state: number, out: number): void
  lz4TableBytes(): number
  lz4Compress(s: number, sBytes: number, t: number, tBytes: number, table: number): number
  lz4Decompress(s: number, sBytes: number, t: number, tBytes: number): number
  bloomFilterLines(keys: number, bitsPerKey: number): number
  bloomFilterProbes(bitsPerKey: number): number
  bloomFilterAddHash(f: number, lines: number, probes: number, low: number, high: number): void
  bloomFilterMayContainHash(
    f: number,
    lines: number,
    probes: number,
    low: number,
    high: number,
  ): number
}

/** Low and high half of an unsigned 64-bit number, as the exports take it. */
export function halves(value: bigint): [low: number, high: number] {
  return [Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn)]
}

/** Call protocol: (allocate | place | exports)*. Nothing is ever freed. */
export class CodecKernel {
  readonly exports: CodecExports
  /** All of memory; never grown, so good for ever. */
  readonly bytes: Uint8Array
  readonly view: DataView
  #top: number

  constructor(exports: CodecExports) {
    exports.memory.grow(64)
    this.exports = exports
    this.bytes = new Uint8Array(exports.memory.buffer)
    this.view = new DataView(exports.memory.buffer)
    this.#top = exports.heapBase()
  }

  /** The address of `n` bytes, aligned to 16. */
  allocate(n: number): number {
    const address = (this.#top + 15) & ~15
    this.#top = address + n
    if (this.#top > this.bytes.length) throw new RangeError('the codec kernel is full')
    return address
  }

  /** Writes bytes to an address and returns it. */
  place(content: Uint8Array, address: number = this.allocate(content.length)): number {
    this.bytes.set(content, address)
    return address
  }

  /** A copy of `n` bytes. */
  read(address: number, n: number): Uint8Array {
    return this.bytes.slice(address, address + n)
  }

  readU64(address: number): bigint {
    return this.view.getBigUint64(address, true)
  }
}

/** A fresh instance. */
export async function codecKernel(target: CodecTarget): Promise<CodecKernel> {
  const binary = await assemblyBinary(ENTRY, target)
  return new CodecKernel(instantiateSync<CodecExports>(binary, {}).exports)
}

const ENTRY = 'test/kernel/assembly/codecs.ts'
const OUT_FILE = 'test.wasm'

/** The module that exports what `entry`, a file of test/kernel/assembly/, does. */
export async function assemblyBinary(
  entry: string,
  target: CodecTarget,
): Promise<Uint8Array<ArrayBuffer>> {
  const sources = readdirSync(projectPath('assembly')).filter((name) => name.endsWith('.ts'))
  const hash = createHash('sha256').update(`${version} ${target}`)
  for (const file of ['asconfig.json', entry, ...sources.map((name) => `assembly/${name}`)]) {
    hash.update(`\0${file}\0`).update(projectText(file))
  }
  const kept = join(tmpdir(), `sedgedb-codecs-${hash.digest('hex').slice(0, 24)}.wasm`)
  const found = readKept(kept)
  if (found !== undefined) return found
  const compiled = await compile(entry, target)
  const fresh = `${kept}.${process.pid}`
  writeFileSync(fresh, compiled)
  renameSync(fresh, kept)
  return new Uint8Array(compiled)
}

/** What an earlier run has kept; nothing where it was cut off, or is another user's. */
function readKept(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = new Uint8Array(readFileSync(path))
    new WebAssembly.Module(bytes)
    return bytes
  } catch {
    return undefined
  }
}

async function compile(entry: string, target: CodecTarget): Promise<Uint8Array> {
  let binary: Uint8Array | undefined
  const { error, stderr } = await main([entry, '--target', target, '--outFile', OUT_FILE], {
    readFile: (name) => (name === 'asconfig.json' ? options() : readSource(name)),
    writeFile: (name, contents) => {
      if (name === OUT_FILE && typeof contents !== 'string') binary = contents
    },
    listFiles: () => [],
  })
  if (error !== null || binary === undefined) {
    throw new Error(`${entry} does not compile: ${stderr.toString()}`, { cause: error })
  }
  return binary
}

/** The product's options without its entries: ours is named by the caller. */
function options(): string {
  return JSON.stringify({ ...JSON.parse(projectText('asconfig.json')), entries: [] })
}

function readSource(name: string): string | null {
  return existsSync(projectPath(name)) ? projectText(name) : null
}
