/**
 * LZ4 blocks decoded without the kernel, on the cold paths: verify and repair. A second, independent implementation
 * of what `assembly/lz4.ts` reads.
 *
 *     block    = (token, more literals*, literals, offset u16, more match*)* token, more literals*, literals
 *     token    = literals in the high 4 bits, match bytes less 4 in the low 4; 15 is followed by bytes to add
 */

const MATCH_BYTES_MIN = 4

/** The `size` bytes that `source` stands for; `undefined` unless it is well formed and gives exactly as many. */
export function decodeLz4(source: Uint8Array, size: number): Uint8Array | undefined {
  const target = new Uint8Array(size)
  let at = 0
  let end = 0
  /** A length that continues behind a nibble of 15; -1 when the source ends within it. */
  const extended = (nibble: number): number => {
    let length = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; ) {
      if (at >= source.length) return -1
      byte = source[at++]!
      length += byte
    }
    return length
  }
  while (at < source.length) {
    const token = source[at++]!
    const literals = extended(token >> 4)
    if (literals < 0 || literals > source.length - at || literals > size - end) return undefined
    target.set(source.subarray(at, at + literals), end)
    at += literals
    end += literals
    if (at === source.length) return end === size ? target : undefined
    if (source.length - at < 2) return undefined
    const offset = source[at]! | (source[at + 1]! << 8)
    at += 2
    const match = extended(token & 15)
    const bytes = match + MATCH_BYTES_MIN
    if (match < 0 || offset === 0 || offset > end || bytes > size - end) return undefined
    copyMatch(target, end, offset, bytes)
    end += bytes
  }
  return undefined
}

/** Repeats what lies `offset` back; the regions may overlap. */
function copyMatch(target: Uint8Array, end: number, offset: number, bytes: number): void {
  if (offset >= bytes) {
    target.copyWithin(end, end - offset, end - offset + bytes)
    return
  }
  for (let i = 0; i < bytes; i++) target[end + i] = target[end + i - offset]!
}
