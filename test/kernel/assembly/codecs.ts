// @ts-nocheck: AssemblyScript, compiled by test/support/codec-kernel.ts.
/**
 * The codecs of assembly/ as exports that take and return plain numbers: a u64 goes in as its low and
 * high half and comes out through 8 bytes of memory.
 */

import { bloomFilterAdd, bloomFilterMayContain } from '../../../assembly/bloom-filter'
import { equalBytes, head64 } from '../../../assembly/bytes'
import { LZ4_TABLE_BYTES } from '../../../assembly/lz4'
import { putVarint, readVarint, varintBytes, varintValue } from '../../../assembly/varint'
import { XXH64_STATE_BYTES, xxh64, xxh64Digest, xxh64Reset } from '../../../assembly/xxh64'

export { bloomFilterLines, bloomFilterProbes } from '../../../assembly/bloom-filter'
export { commonPrefix, compareBytes, copyBytes, copyWords } from '../../../assembly/bytes'
export { lz4Compress, lz4Decompress } from '../../../assembly/lz4'
export { xxh64Update } from '../../../assembly/xxh64'

function join(low: u32, high: u32): u64 {
  return <u64>low | ((<u64>high) << 32)
}

/** The first address that the module itself does not use. */
export function heapBase(): usize {
  return __heap_base
}

export function putHead64(p: usize, n: u32, out: usize): void {
  store<u64>(out, head64(p, n))
}

export function areEqualBytes(a: usize, b: usize, n: u32): bool {
  return equalBytes(a, b, n)
}

export function varintBytesOf(low: u32, high: u32): u32 {
  return varintBytes(join(low, high))
}

export function putVarintOf(p: usize, low: u32, high: u32): usize {
  return putVarint(p, join(low, high))
}

/** Stores the value at `out` if there is one. */
export function readVarintTo(p: usize, end: usize, out: usize): usize {
  const next = readVarint(p, end)
  if (next > 0) store<u64>(out, varintValue)
  return next
}

export function putXxh64(p: usize, n: usize, low: u32, high: u32, out: usize): void {
  store<u64>(out, xxh64(p, n, join(low, high)))
}

export function xxh64StateBytes(): usize {
  return XXH64_STATE_BYTES
}

export function xxh64ResetTo(state: usize, low: u32, high: u32): void {
  xxh64Reset(state, join(low, high))
}

export function putXxh64Digest(state: usize, out: usize): void {
  store<u64>(out, xxh64Digest(state))
}

export function lz4TableBytes(): usize {
  return LZ4_TABLE_BYTES
}

export function bloomFilterAddHash(
  filter: usize,
  lines: u32,
  probes: u32,
  low: u32,
  high: u32,
): void {
  bloomFilterAdd(filter, lines, probes, join(low, high))
}

export function bloomFilterMayContainHash(
  filter: usize,
  lines: u32,
  probes: u32,
  low: u32,
  high: u32,
): bool {
  return bloomFilterMayContain(filter, lines, probes, join(low, high))
}
