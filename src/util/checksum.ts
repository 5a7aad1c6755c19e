/**
 * XXH64 for the cold paths: manifest, log and table files read outside the kernel. The one place that
 * knows the package `xxhash-wasm`, an implementation that is independent of the kernel's own.
 *
 * Call protocol: `await loadChecksums()` once, then the synchronous functions; or, for `hash64` alone, `lendChecksums`.
 */
import xxhash, { type XXHash, type XXHashAPI } from 'xxhash-wasm'
import { SedgeError } from '../errors.ts'
import { assert } from './assert.ts'

/** The package copies its input into a memory that never shrinks; more than this goes in by pieces. */
const PIECE_BYTES = 65_536

let loading: Promise<void> | undefined
let loaded: XXHashAPI | undefined
let lent: ((bytes: Uint8Array, seed: bigint) => bigint) | undefined

/**
 * Lends an XXH64 that is there already, for `hash64` until `loadChecksums` has settled: to load the package would be a tenth of
 * an open. Verify and repair load it, so that what one implementation has written another one checks.
 */
export function lendChecksums(hash: (bytes: Uint8Array, seed: bigint) => bigint): void {
  lent = hash
}

/** Makes the functions below usable. Idempotent. Rejects with `UNSUPPORTED` where they cannot run. */
export function loadChecksums(): Promise<void> {
  loading ??= load()
  return loading
}

async function load(): Promise<void> {
  try {
    loaded = await xxhash()
  } catch (cause) {
    loading = undefined
    throw new SedgeError('UNSUPPORTED', 'this runtime cannot run the checksum code', { cause })
  }
}

function api(): XXHashAPI {
  assert(loaded !== undefined, 'checksums are used before loadChecksums() has settled')
  return loaded
}

/** XXH64 of `bytes`, from 0 to 2^64 - 1. */
export function hash64(bytes: Uint8Array, seed = 0n): bigint {
  if (loaded === undefined && lent !== undefined) return lent(bytes, seed)
  if (bytes.length <= PIECE_BYTES) return api().h64Raw(bytes, seed)
  return new Hash64(seed).update(bytes).digest()
}

/** XXH64 of bytes that come in parts. Call protocol: update* digest. */
export class Hash64 {
  readonly #state: XXHash<bigint>

  constructor(seed = 0n) {
    this.#state = api().create64(seed)
  }

  update(bytes: Uint8Array): this {
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
      this.#state.update(bytes.subarray(start, start + PIECE_BYTES))
    }
    return this
  }

  digest(): bigint {
    return this.#state.digest()
  }
}

/** `seed + offset` modulo 2^64: the seed of a checksum that is bound to a place. */
export function addSeed(seed: bigint, offset: number): bigint {
  return BigInt.asUintN(64, seed + BigInt(offset))
}

/** How checksums are shown in errors: 16 hexadecimal digits. */
export function checksumText(checksum: bigint): string {
  return checksum.toString(16).padStart(16, '0')
}
