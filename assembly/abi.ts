/**
 * Everything that both sides of the door agree on: status codes, entry kinds, limits, and the result words.
 * Exported as globals and read at instantiation, so that each number is written once.
 */

export const ABI_VERSION: i32 = 1

/** Status codes. Zero and up are outcomes, all of them expected. */
export const OK: i32 = 0
export const NOT_FOUND: i32 = 1
/** RESULT_TABLE, RESULT_OFFSET, RESULT_BYTES, RESULT_KIND say which block to install before resuming. */
export const NEED_BLOCK: i32 = 2
/** RESULT_TABLE says whose header and footer have not been read. */
export const NEED_TABLE: i32 = 3
/** Content that does not verify; RESULT_OFFSET where, RESULT_TABLE whose. */
export const CORRUPT: i32 = 4
export const NO_MEMORY: i32 = 5
/** The output is full: drain it and call again. */
export const OUTPUT: i32 = 6
/** A large value is next: copy its chunks and say where they went. */
export const VALUE: i32 = 7
/** A table is complete: drain it, start the next one and call again. */
export const TABLE_DONE: i32 = 8
export const DONE: i32 = 9
/** The step's budget is used up; call again. */
export const MORE: i32 = 10
/** A block waits for a codec that lives outside: compress it and hand it back. */
export const COMPRESS: i32 = 11
/** Bytes that carry an entry kind or version from the future. */
export const UNKNOWN_FORMAT: i32 = 12
/** A job needs a run of data blocks: read them to the address in the result words. */
export const NEED_RUN: i32 = 13

/** Entry kinds. Part of the file formats. Do not change. 0 is always invalid. */
export const KIND_PUT: u32 = 1
export const KIND_DELETE: u32 = 2
export const KIND_CHUNKS: u32 = 3
/** The last kind reserved by the formats; see LOG-5. */
export const KIND_RESERVED_MAX: u32 = 6
/** Of the entries of an index, and of no others. */
export const KIND_INDEX: u32 = 7

export const KEY_BYTES_MAX: u32 = 1 << 20
export const VALUE_INLINE_MAX: u32 = 65535

/** Codecs of a stored block. Part of the table format. Do not change. */
export const CODEC_NONE: u32 = 0
export const CODEC_LZ4: u32 = 1
export const CODEC_ZSTD: u32 = 2

/** What a block holds. Not on disk. */
export const BLOCK_DATA: u32 = 0
export const BLOCK_INDEX: u32 = 1
export const BLOCK_FILTER: u32 = 2
/** A data block that a job reads once: it does not enter the cache. */
export const BLOCK_STREAM: u32 = 3

/** Ways of a lookup, to be added: it begins again; a small value is wanted behind the result words; every version is seen. */
export const FIND_AGAIN: u32 = 1
export const FIND_COPY: u32 = 2
export const FIND_NEWEST: u32 = 4

/** Values of up to so many bytes are copied by FIND_COPY. */
export const COPY_BYTES_MAX: u32 = 1024

/**
 * Result words, 8 bytes each: a call writes them, the caller reads them before the next call.
 * Numbers are f64, so that one Float64Array reads them all.
 */
export const RESULT_TABLE: i32 = 0
export const RESULT_OFFSET: i32 = 1
export const RESULT_BYTES: i32 = 2
export const RESULT_KIND: i32 = 3
export const RESULT_ADDRESS: i32 = 4
export const RESULT_SEQUENCE: i32 = 5
export const RESULT_TIMESTAMP: i32 = 6
export const RESULT_COUNT: i32 = 7
export const RESULT_KEY_ADDRESS: i32 = 8
export const RESULT_KEY_BYTES: i32 = 9
export const RESULT_EXTRA_1: i32 = 10
export const RESULT_EXTRA_2: i32 = 11
export const RESULT_EXTRA_3: i32 = 12
export const RESULT_EXTRA_4: i32 = 13
export const RESULT_WORDS: i32 = 16

const results: usize = memory.data(16 * 8 + 1024, 16)

// @ts-ignore: decorator
@inline
export function setResult(word: i32, value: f64): void {
  store<f64>(results + ((<usize>word) << 3), value)
}

/** Where a small value is copied to. */
// @ts-ignore: decorator
@inline
export function copyAddress(): usize {
  return results + 16 * 8
}

/** Where the result words are. */
export function resultAddress(): usize {
  return results
}
