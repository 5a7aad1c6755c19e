/**
 * Every function of the kernel, in the order of `assembly/index.ts`, which says what each does. Addresses stay in this
 * folder. Status codes and result words are those of `assembly/abi.ts`; `kernel.ts` checks the ABI version.
 */

declare const address: unique symbol
/** An address in linear memory. Never leaves `src/kernel/`. */
export type Address = number & { readonly [address]: true }

export interface KernelExports {
  readonly memory: WebAssembly.Memory
  readonly ABI_VERSION: WebAssembly.Global
  resultAddress(): number

  scratchReserve(bytes: number): number
  stagingReserve(bytes: number): number
  stagingFree(): void
  allocatedBytes(): number
  setAllocationLimit(bytes: number): void
  hash64(at: number, bytes: number, seedLow: number, seedHigh: number): void

  memtableCreate(capacity: number): Address
  memtableFree(memtable: Address): void
  memtableBind(
    memtable: Address,
    segment: number,
    identityLow: number,
    identityHigh: number,
    seedLow: number,
    seedHigh: number,
    firstSequence: number,
    baseTimestamp: number,
  ): void
  memtableReserve(memtable: Address, records: number): number
  memtableAppend(
    memtable: Address,
    kind: number,
    key: number,
    keyBytes: number,
    value: number,
    valueBytes: number,
    sequenceDelta: number,
    timestampDelta: number,
  ): number
  memtableSealFrame(memtable: Address, distance: number, synced: number, values: number): number
  memtableSealSegment(memtable: Address, distance: number, synced: number, values: number): number
  memtableDrop(memtable: Address, from: number): void
  memtableSortStep(memtable: Address, merge: number): number
  memtableUnsorted(memtable: Address): number
  memtableArena(memtable: Address): number
  memtableTail(memtable: Address): number
  memtableCount(memtable: Address): number
  memtableIndexBytes(memtable: Address): number
  memtableReplay(memtable: Address, length: number, indexed: number): number
  memtableProof(memtable: Address, from: number, length: number): void

  blockCacheCreate(bytes: number): number
  blockCacheBytes(): number
  readCounters(): void

  tableCreate(
    number: number,
    identityLow: number,
    identityHigh: number,
    keys: number,
    smallestBytes: number,
    largestBytes: number,
  ): Address
  tableSetTop(
    table: Address,
    offset: number,
    bytes: number,
    limit: number,
    bitsPerKey: number,
    codec: number,
  ): void
  tableFree(table: Address): void
  tableInstall(
    table: Address,
    offset: number,
    kind: number,
    at: number,
    stored: number,
    decoded: number,
  ): number

  viewSetSeed(low: number, high: number): void
  viewBegin(memtables: number, tables: number): number
  viewMemtable(memtable: Address): void
  viewTable(table: Address, level: number): void
  viewEnd(): void
  viewFind(key: number, keyBytes: number, sequence: number, ways: number): number

  scanBegin(
    flags: number,
    keys: number,
    startBytes: number,
    endBytes: number,
    sequence: number,
    entries: number,
    bytes: number,
  ): number
  scanFill(): number
  scanEnd(): void

  jobBegin(
    snapshots: number,
    count: number,
    dropTombstones: number,
    tableBytes: number,
    tables: number,
  ): number
  jobLists(bytes: number): number
  jobAddMemtable(memtable: Address): number
  jobAddTables(list: number, count: number): number
  jobStep(entries: number): number
  jobValueAt(offset: number): void
  jobEnd(): void
  jobRun(): void
  jobTable(
    number: number,
    identityLow: number,
    identityHigh: number,
    codec: number,
    bitsPerKey: number,
  ): void
  jobOutput(): void
  jobDrained(): void
  jobForeign(at: number, bytes: number): void
  jobContent(): void
  jobCompressed(at: number, bytes: number): number
  jobHeader(to: number): void
  jobDropped(): number
  jobEndOffset(): number
}

/** Outcomes of a call; the numbers are those of `assembly/abi.ts`. */
export const Status = {
  OK: 0,
  NOT_FOUND: 1,
  NEED_BLOCK: 2,
  NEED_TABLE: 3,
  CORRUPT: 4,
  NO_MEMORY: 5,
  OUTPUT: 6,
  VALUE: 7,
  TABLE_DONE: 8,
  DONE: 9,
  MORE: 10,
  COMPRESS: 11,
  UNKNOWN_FORMAT: 12,
  NEED_RUN: 13,
} as const

/** Ways of a lookup, to be added; the numbers are those of `assembly/abi.ts`. */
export const Find = { AGAIN: 1, COPY: 2, NEWEST: 4 } as const

/** Values of up to so many bytes are copied behind the result words when `Find.COPY` asks for it. */
export const COPY_BYTES_MAX = 1024

/** Result words, indices into a Float64Array; the numbers are those of `assembly/abi.ts`. */
export const Result = {
  TABLE: 0,
  OFFSET: 1,
  BYTES: 2,
  KIND: 3,
  ADDRESS: 4,
  SEQUENCE: 5,
  TIMESTAMP: 6,
  COUNT: 7,
  KEY_ADDRESS: 8,
  KEY_BYTES: 9,
  EXTRA_1: 10,
  EXTRA_2: 11,
  EXTRA_3: 12,
  EXTRA_4: 13,
} as const
