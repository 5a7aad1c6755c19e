/** Zstandard where the runtime brings it (Node 22.15 and later, Deno, Bun); nothing of our own elsewhere. */
import * as zlib from 'node:zlib'

export interface Zstd {
  compress(bytes: Uint8Array): Uint8Array
  /** Throws when the bytes are not zstd or decode to more than `size` bytes. */
  decompress(bytes: Uint8Array, size: number): Uint8Array
}

interface ZstdFunctions {
  zstdCompressSync?(bytes: Uint8Array): Uint8Array
  zstdDecompressSync?(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array
}

/** `undefined` where the runtime has no zstd. */
export function runtimeZstd(): Zstd | undefined {
  const { zstdCompressSync, zstdDecompressSync } = zlib as ZstdFunctions
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined
  return {
    compress: (bytes) => zstdCompressSync(bytes),
    decompress: (bytes, size) => zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, size) }),
  }
}
