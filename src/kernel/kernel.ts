/**
 * One kernel: an instance of the WebAssembly module with a memory of its own. A store has one, and each background job has one;
 * dropping the object drops the memory. The module is compiled once a process, on first use.
 *
 * A trap means a bug: the instance is marked and never called again [KRN-5].
 */
import { Buffer } from 'node:buffer'
import { SedgeError } from '../errors.ts'
import { type Address, type KernelExports, Result, Status } from './exports.ts'
import { KERNEL_BASE64 } from './kernel-binary.ts'
import { LinearMemory } from './linear-memory.ts'
import { Slab } from './slab.ts'
import { bytesMax, readText, writeText } from './text.ts'

const ABI_VERSION = 1

/** A compiled kernel, to be handed to workers. Opaque above this folder. */
export type KernelModule = object

let compiled: WebAssembly.Module | undefined

function compile(): WebAssembly.Module {
  if (compiled !== undefined) return compiled
  if (typeof WebAssembly === 'undefined') {
    throw new SedgeError('UNSUPPORTED', 'this runtime has no WebAssembly')
  }
  try {
    compiled = new WebAssembly.Module(Buffer.from(KERNEL_BASE64, 'base64'))
  } catch (cause) {
    throw new SedgeError('UNSUPPORTED', 'the WebAssembly kernel cannot be compiled here', { cause })
  }
  return compiled
}

/** The compiled module, for `adoptKernelModule` in another thread. */
export function kernelModule(): KernelModule {
  return compile()
}

/** Uses a module that was compiled elsewhere: by another thread, or the checked build in tests. */
export function adoptKernelModule(module: KernelModule): void {
  compiled = module as WebAssembly.Module
}

/** An instance with a memory of its own. */
export function instantiate(): WebAssembly.Instance {
  /** Only the checked kernel calls this. A string is UTF-16 behind its length in bytes. */
  const abort = (message: number, file: number, line: number, column: number): never => {
    const { buffer } = instance.exports['memory'] as WebAssembly.Memory
    const text = (at: number): string => {
      const length = new DataView(buffer).getUint32(at - 4, true)
      return Buffer.from(buffer, at, length).toString('utf16le')
    }
    throw new Error(`${text(file)}:${line}:${column}: ${text(message)}`)
  }
  const instance = new WebAssembly.Instance(compile(), { env: { abort } })
  return instance
}

/** A block that has to be read and installed before a call can go on. */
export interface Need {
  readonly table: Address
  readonly offset: number
  readonly bytes: number
  readonly kind: number
}

export interface KernelCounters {
  /** Bytes of blocks in the cache. */
  readonly cacheBytes: number
  readonly cacheHits: number
  readonly cacheMisses: number
  readonly filterChecks: number
  readonly filterNegatives: number
  readonly filterFalsePositives: number
}

export class Kernel {
  readonly exports: KernelExports
  readonly memory: LinearMemory
  readonly slab: Slab
  #trapped = false
  /** Called at the first trap, from within the call that trapped: it must not call the kernel. */
  onTrap: (error: SedgeError) => void = () => {}
  #scratch = 0
  #scratchBytes = 0
  #staging = 0
  #stagingBytes = 0

  private constructor(instance: WebAssembly.Instance, protect: (slab: ArrayBuffer) => void) {
    this.slab = new Slab(protect)
    const raw = instance.exports as unknown as KernelExports
    if (raw.ABI_VERSION.value !== ABI_VERSION) {
      throw new SedgeError('UNSUPPORTED', 'the kernel and the library are of different builds', {
        expected: ABI_VERSION,
        actual: raw.ABI_VERSION.value as number,
      })
    }
    this.exports = guardAll(raw, (cause) => this.#trap(cause))
    this.memory = new LinearMemory(raw)
  }

  /**
   * `hashSeed` seeds the hashes of keys; `cacheBytes` bounds the blocks kept in memory. `protect` is called with each buffer
   * that several results will share, to make it untransferable where the runtime can.
   */
  static create(
    cacheBytes: number,
    hashSeed: bigint,
    protect: (slab: ArrayBuffer) => void = () => {},
  ): Kernel {
    let instance: WebAssembly.Instance
    try {
      instance = instantiate()
    } catch (cause) {
      if (cause instanceof SedgeError) throw cause
      throw new SedgeError('UNSUPPORTED', 'the kernel cannot be instantiated', { cause })
    }
    const kernel = new Kernel(instance, protect)
    kernel.must(kernel.exports.blockCacheCreate(cacheBytes))
    kernel.seed(hashSeed)
    kernel.must(kernel.exports.viewBegin(0, 0))
    kernel.exports.viewEnd()
    return kernel
  }

  /** Sets the seed of the hashes of keys, for a kernel that goes from job to job. */
  seed(hashSeed: bigint): void {
    const [low, high] = halves(hashSeed)
    this.exports.viewSetSeed(low, high)
  }

  /** True once a call trapped. Every later call throws `FAILED`. */
  get trapped(): boolean {
    return this.#trapped
  }

  /** Bytes of memory taken from the system. */
  get bytes(): number {
    return this.memory.size
  }

  #trap(cause: unknown): never {
    const error = new SedgeError('FAILED', 'the kernel failed; re-open the store', { cause })
    if (!this.#trapped) {
      this.#trapped = true
      this.onTrap(error)
    }
    throw error
  }

  /** Throws unless `status` is OK. */
  must(status: number): void {
    if (status === Status.OK) return
    if (status === Status.NO_MEMORY) throw outOfMemory()
    throw new SedgeError('FAILED', `unexpected status ${status} of the kernel`)
  }

  /** Address of a scratch region of at least `bytes`, for arguments. Its content is lost in the next call of this. */
  scratch(bytes: number): number {
    if (bytes > this.#scratchBytes) {
      this.#scratch = this.exports.scratchReserve(bytes) >>> 0
      this.#scratchBytes = this.#scratch === 0 ? 0 : bytes
      if (this.#scratch === 0) throw outOfMemory()
    }
    return this.#scratch
  }

  /** Address of a staging region of at least `bytes`, apart from the scratch, for blocks and tables. */
  staging(bytes: number): number {
    if (bytes > this.#stagingBytes) {
      this.#staging = this.exports.stagingReserve(bytes) >>> 0
      this.#stagingBytes = this.#staging === 0 ? 0 : bytes
      if (this.#staging === 0) throw outOfMemory()
    }
    return this.#staging
  }

  /** Gives the staging region back, after something large went through it. */
  releaseStaging(): void {
    this.exports.stagingFree()
    this.#staging = 0
    this.#stagingBytes = 0
  }

  /** Writes a key or value to where the caller has `bytesMax` bytes of room; returns its length. */
  write(at: number, text: string | Uint8Array): number {
    return writeText(this.memory.bytes, at, text)
  }

  /** Writes a key to the start of the scratch, leaving room for `more` bytes behind it; returns its length. */
  scratchKey(key: string | Uint8Array, more = 0): number {
    const at = this.scratch(bytesMax(key) + more + 8)
    return writeText(this.memory.bytes, at, key)
  }

  /** Writes a value to the scratch behind a key of `keyBytes`, for which `scratchKey` left room; returns its length. */
  scratchValue(value: string | Uint8Array, keyBytes: number): number {
    return writeText(this.memory.bytes, this.#scratch + keyBytes, value)
  }

  /** A result in the caller's form; a copy. */
  take(at: number, length: number, form: 'utf8' | 'binary' | 'buffer'): string | Uint8Array {
    if (form === 'utf8') return readText(this.memory.bytes, at, length)
    return this.slab.keep(this.memory.view(at, length), form === 'buffer')
  }

  /** Counters of the block cache and the filters, from the start; zeros once trapped. */
  counters(): KernelCounters {
    const zeros = this.#trapped
    if (!zeros) this.exports.readCounters()
    const r = this.memory.results
    const word = (i: number): number => (zeros ? 0 : (r[i] as number))
    return {
      cacheBytes: zeros ? 0 : this.exports.blockCacheBytes() >>> 0,
      cacheHits: word(0),
      cacheMisses: word(1),
      filterChecks: word(2),
      filterNegatives: word(3),
      filterFalsePositives: word(4),
    }
  }

  /** What the last NEED_BLOCK or NEED_TABLE asked for. */
  need(): Need {
    const r = this.memory.results
    return {
      table: r[Result.TABLE] as Address,
      offset: r[Result.OFFSET] as number,
      bytes: r[Result.BYTES] as number,
      kind: r[Result.KIND] as number,
    }
  }
}

export function outOfMemory(): SedgeError {
  return new SedgeError('LIMIT', 'the memory of the kernel is exhausted')
}

/** Low and high half of 64 bits. */
export function halves(value: bigint): [number, number] {
  return [Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn)]
}

type Call = (...values: number[]) => number

/**
 * Wraps every function so that a trap is noticed, and that none is called after one. Wrappers have fixed arities,
 * which the optimiser can inline; a rest argument cannot.
 */
function guardAll(raw: KernelExports, trap: (cause: unknown) => never): KernelExports {
  const state = { trapped: undefined as unknown }
  const guarded: Record<string, unknown> = {}
  const fail = (cause: unknown): never => {
    state.trapped ??= cause
    return trap(cause)
  }
  for (const [name, value] of Object.entries(raw)) {
    guarded[name] = typeof value === 'function' ? guard(value as Call, state, fail) : value
  }
  return guarded as unknown as KernelExports
}

function guard(
  call: Call,
  state: { trapped: unknown },
  fail: (cause: unknown) => never,
): (
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
  g: number,
  h: number,
) => number {
  return (a, b, c, d, e, f, g, h) => {
    if (state.trapped !== undefined) fail(state.trapped)
    try {
      return call(a, b, c, d, e, f, g, h)
    } catch (cause) {
      return fail(cause)
    }
  }
}
