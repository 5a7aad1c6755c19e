/**
 * What a store must offer to be measured. Each engine is one file that exports `description` and `openEngine`, runs in
 * processes of its own, and does every operation in the way that is best for it and still honest: what is missing
 * here it has not got, and the table says so.
 *
 * Keys are text. Values go in as `Buffer`s that nobody changes and come out as any `Uint8Array`.
 */

/** What an acknowledged write survives: the death of the process, or a power cut. */
export type Level = 'process' | 'disk'

export interface EngineOptions {
  /** An existing directory, empty or with what the same engine has left there. */
  readonly directory: string
  /** What the engine may cache of its files, apart from what the system does. */
  readonly cacheBytes: number
  /** Bound of what is written but not yet in tables, of all memtables together. */
  readonly writeBufferBytes: number
  readonly level: Level
}

/** Where a scan begins and ends. */
export interface Scan {
  readonly reverse: boolean
  /** The first key, if it is there; else that beyond it. */
  readonly from?: string
  readonly limit?: number
}

/** Called with every entry of a scan, and consumes it before it returns. */
export type Visit = (key: string, value: Uint8Array) => void

/** An open store. */
export interface Engine {
  put?(key: string, value: Buffer): Promise<unknown>
  putSync?(key: string, value: Buffer): void
  delete?(key: string): Promise<unknown>
  /** The best call for many puts that belong together. */
  batch(keys: readonly string[], values: readonly Buffer[]): unknown
  get?(key: string): Promise<Uint8Array | undefined>
  /** A copy that is the caller's. */
  getSync?(key: string): Uint8Array | undefined
  getString?(key: string): string | undefined
  /** The fastest way to see the bytes without memory of their own: the sum of the first and the last byte. */
  sumReused?(key: string): number | undefined
  /** Entries in the fastest form that gives keys as strings and values as bytes of their own. */
  scan?(scan: Scan, visit: Visit): unknown
  /** The same with an iterator that is awaited. */
  scanAwait?(scan: Scan, visit: Visit): Promise<void>
  /** Brings the files into their smallest and fastest form. */
  compact?(): unknown
  close(): unknown
}

export interface Description {
  readonly name: string
  readonly version: string
  /** True if nothing is left after the process. */
  readonly isVolatile: boolean
  /** Levels of durability that it has. */
  readonly levels: readonly Level[]
  /** What it is set to, for the report. */
  readonly settings: string
}

/** What the file of an engine exports. */
export interface EngineModule {
  readonly description: Description
  openEngine(options: EngineOptions): Promise<Engine>
}
