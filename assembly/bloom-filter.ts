/**
 * Cache-line-blocked bloom filter [TBL-8]. All bits of a key lie in one line of 64 bytes, so that a
 * question costs one cache miss.
 *
 *   h: | 32 bits: which line        | 32 bits: x, the first probe |
 *      line = (high * lines) >> 32    bit = x >> 23, then x *= 0x9e3779b9, …
 *
 * Bit i of a line is bit i & 7 of its byte i >> 3. Part of the file format. Do not change.
 */

export const BLOOM_FILTER_LINE_BYTES: usize = 64

const PROBES_MAX: u32 = 12
const PROBE_FACTOR: u32 = 0x9e3779b9

/** Lines of a filter for `keys` distinct keys at `bitsPerKey` bits each; at least 1. */
export function bloomFilterLines(keys: u32, bitsPerKey: u32): u32 {
  const lines = <u32>((<u64>keys * <u64>bitsPerKey + 511) >> 9)
  return lines == 0 ? 1 : lines
}

/** Bits set for each key: `bitsPerKey` times ln 2 (as 0.69), rounded, from 1 to 12. */
export function bloomFilterProbes(bitsPerKey: u32): u32 {
  const probes = (<u64>bitsPerKey * 69 + 50) / 100
  return probes == 0 ? 1 : probes > PROBES_MAX ? PROBES_MAX : <u32>probes
}

/** Adds the key whose hash is `h` to a filter of `lines` lines at `filter`. */
export function bloomFilterAdd(filter: usize, lines: u32, probes: u32, h: u64): void {
  const line = lineOf(filter, lines, h)
  let x = <u32>h
  for (let probe: u32 = 0; probe < probes; probe++) {
    const word = line + wordOf(x)
    store<u32>(word, load<u32>(word) | bitOf(x))
    x *= PROBE_FACTOR
  }
}

/** False only if the key whose hash is `h` was never added. */
export function bloomFilterMayContain(filter: usize, lines: u32, probes: u32, h: u64): bool {
  const line = lineOf(filter, lines, h)
  let x = <u32>h
  for (let probe: u32 = 0; probe < probes; probe++) {
    if ((load<u32>(line + wordOf(x)) & bitOf(x)) == 0) return false
    x *= PROBE_FACTOR
  }
  return true
}

// @ts-ignore: decorator
@inline
function lineOf(filter: usize, lines: u32, h: u64): usize {
  return filter + <usize>(((h >> 32) * <u64>lines) >> 32) * BLOOM_FILTER_LINE_BYTES
}

/** Offset in the line of the 32-bit word that holds bit `x >> 23`. */
// @ts-ignore: decorator
@inline
function wordOf(x: u32): usize {
  return <usize>(x >> 28) << 2
}

/** Bit `x >> 23` in its word; a shift counts modulo 32. */
// @ts-ignore: decorator
@inline
function bitOf(x: u32): u32 {
  return 1 << (x >> 23)
}
