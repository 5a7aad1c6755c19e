/** LZ4 blocks, slow and obvious: the oracle of assembly/lz4.ts. */

/** Literals, then a match; the last sequence of a block has no match. */
export interface Sequence {
  readonly literals: Uint8Array
  readonly match: { readonly offset: number; readonly length: number } | undefined
}

/** Writes a block. Any offsets and lengths of 4 and more, sensible or not. */
export function encodeSequences(sequences: readonly Sequence[]): Uint8Array {
  const block: number[] = []
  for (const { literals, match } of sequences) {
    const excess = match === undefined ? 0 : match.length - 4
    block.push(Math.min(literals.length, 15) * 16 + Math.min(excess, 15))
    pushMore(block, literals.length)
    block.push(...literals)
    if (match === undefined) continue
    block.push(match.offset % 256, Math.floor(match.offset / 256))
    pushMore(block, excess)
  }
  return Uint8Array.from(block)
}

function pushMore(block: number[], length: number): void {
  if (length < 15) return
  let rest = length - 15
  for (; rest >= 255; rest -= 255) block.push(255)
  block.push(rest)
}

/** What a block stands for, or `undefined` if it is not well formed or gives more than `limit` bytes. */
export function lz4Decompress(block: Uint8Array, limit: number): Uint8Array | undefined {
  const output: number[] = []
  let at = 0
  const more = (nibble: number): number => {
    let length = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) {
      byte = block[at++] ?? Number.NaN
    }
    return length
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = more(token >> 4)
    // Not a number: the block ended in the length. Every comparison is false.
    if (!(at + literals <= block.length && output.length + literals <= limit)) return undefined
    for (let count = 0; count < literals; count++) output.push(block[at++]!)
    if (at === block.length) return Uint8Array.from(output)
    if (at + 2 > block.length) return undefined
    const offset = block[at]! + block[at + 1]! * 256
    at += 2
    const length = more(token & 15) + 4
    if (offset === 0 || offset > output.length) return undefined
    if (!(output.length + length <= limit)) return undefined
    for (let count = 0; count < length; count++) output.push(output[output.length - offset]!)
  }
  return undefined
}

/** Greedy: the longest match at each position, the nearest of equals. Needs time by the square of the size. */
export function lz4Compress(content: Uint8Array): Uint8Array {
  const sequences: Sequence[] = []
  let anchor = 0
  let at = 1
  while (at <= content.length - 12) {
    const match = longestMatch(content, at)
    if (match === undefined) {
      at++
      continue
    }
    sequences.push({ literals: content.subarray(anchor, at), match })
    at += match.length
    anchor = at
  }
  sequences.push({ literals: content.subarray(anchor), match: undefined })
  return encodeSequences(sequences)
}

function longestMatch(content: Uint8Array, at: number): Sequence['match'] {
  let best: Sequence['match']
  for (let from = at - 1; from >= Math.max(0, at - 65535); from--) {
    let length = 0
    while (at + length < content.length - 5 && content[from + length] === content[at + length]) {
      length++
    }
    if (length >= 4 && length > (best?.length ?? 0)) best = { offset: at - from, length }
  }
  return best
}
