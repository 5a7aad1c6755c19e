/** The filter of TBL-8 in BigInt, slow and obvious: the oracle of assembly/bloom-filter.ts. */

export function bloomFilterLines(keys: number, bitsPerKey: number): number {
  return Math.max(1, Math.ceil((keys * bitsPerKey) / 512))
}

export function bloomFilterProbes(bitsPerKey: number): number {
  return Math.min(12, Math.max(1, Math.round(bitsPerKey * 0.69)))
}

/** The bits of the whole filter that a key sets, in the order of its probes. */
export function bloomFilterBits(lines: number, probes: number, hash: bigint): number[] {
  const line = Number(((hash >> 32n) * BigInt(lines)) >> 32n)
  let x = hash % 2n ** 32n
  return Array.from({ length: probes }, () => {
    const bit = Number(x >> 23n)
    x = (x * 0x9e3779b9n) % 2n ** 32n
    return line * 512 + bit
  })
}

/** The filter block of keys with these hashes. */
export function bloomFilter(lines: number, probes: number, hashes: readonly bigint[]): Uint8Array {
  const filter = new Uint8Array(lines * 64)
  for (const hash of hashes) {
    for (const bit of bloomFilterBits(lines, probes, hash)) {
      filter[Math.floor(bit / 8)]! |= 1 << (bit % 8)
    }
  }
  return filter
}

export function bloomFilterMayContain(filter: Uint8Array, probes: number, hash: bigint): boolean {
  return bloomFilterBits(filter.length / 64, probes, hash).every(
    (bit) => (filter[Math.floor(bit / 8)]! >> (bit % 8)) % 2 === 1,
  )
}
