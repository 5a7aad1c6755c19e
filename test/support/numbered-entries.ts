/**
 * Any number of entries of 216 bytes that need not be remembered to be checked: distinct keys of 16 digits, in no order, and
 * values of 200 random bytes that follow from their keys.
 */
import { Buffer } from 'node:buffer'
import { seededRandom } from './seed.ts'

const KEY_DIGITS = 16
export const ENTRY_VALUE_BYTES = 200
export const ENTRY_BYTES: number = KEY_DIGITS + ENTRY_VALUE_BYTES

/** Odd, so that multiplying by it maps the numbers of 32 bits one to one. */
const SCATTER = 0x9e3779b1
const POOL_BYTES = 1 << 20

const pool: Uint8Array = seededRandom(1).bytes(POOL_BYTES)

/** The n-th key in a scattered order, n from 0 to below 2^32. */
export function scatteredKey(n: number): string {
  return orderedKey(Math.imul(n, SCATTER) >>> 0)
}

/** The n-th key in ascending order. */
export function orderedKey(n: number): string {
  return String(n).padStart(KEY_DIGITS, '0')
}

/** The value of a key; another one for each `version`. A view of bytes that are not to be changed. */
export function numberedValue(key: string, version = 0): Uint8Array {
  const scattered = Math.imul(Number(key) + version, SCATTER) >>> 0
  const at = scattered % (POOL_BYTES - ENTRY_VALUE_BYTES)
  return pool.subarray(at, at + ENTRY_VALUE_BYTES)
}

export function isNumberedValue(key: string, value: Uint8Array, version = 0): boolean {
  return Buffer.compare(value, numberedValue(key, version)) === 0
}
