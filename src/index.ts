/**
 * SedgeDB: an embedded, ordered, persistent key-value store. This file lists everything that is public.
 *
 *     import { open } from 'sedgedb'
 *     const db = await open('./data', { valueEncoding: 'json' })
 *     await db.put('key', { any: 'thing' })
 *     await db.close()
 */
export type { ChainedBatch } from './engine/chained-batch.ts'
export type { Database } from './engine/database.ts'
export type {
  AllOptions,
  DatabaseIterator,
  SyncDatabaseIterator,
} from './engine/database-iterator.ts'
export type {
  BatchDeleteOptions,
  BatchOperation,
  BatchPutOptions,
  BatchWriteOptions,
  CallEncoding,
  ClearOptions,
  CompactOptions,
  DatabaseStatus,
  DeleteOptions,
  Entry,
  KeyReadOptions,
  RangeOptions,
  ReadOptions,
  WriteOptions,
} from './engine/database-types.ts'
export { type DestroyOptions, destroy } from './engine/destroy.ts'
export type {
  Durability,
  LevelStats,
  RecoveryReport,
  Stats,
  StoreEvent,
  VerifyReport,
} from './engine/engine-types.ts'
export {
  type ImportOptions,
  type ImportReport,
  importRustEdgeDB,
} from './engine/import-rustedgedb.ts'
export { type Open, open } from './engine/open.ts'
export type { CompressionName, OpenOptions, RecoveryMode } from './engine/options.ts'
export {
  type LostStretch,
  type RepairOptions,
  type RepairReport,
  repair,
} from './engine/repair.ts'
export type { Snapshot } from './engine/snapshot.ts'
export type { DirectoryLock, File, FileStatus, FileSystem } from './env/file-system.ts'
export { MemoryFileSystem } from './env/memory-file-system.ts'
export type { LockHolder, SedgeErrorCode, SedgeErrorDetails } from './errors.ts'
export { SedgeError } from './errors.ts'
export type { RangeBounds } from './iterator/range.ts'
export type {
  AnyEncoding,
  Decoded,
  Encodable,
  Encoding,
  EncodingName,
  In,
  Input,
  NamedEncodings,
  Out,
} from './key/encoding.ts'
