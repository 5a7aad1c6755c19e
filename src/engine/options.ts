/**
 * The options of a store: one place for names, defaults, limits and checks [OPT-1].
 *
 * `OpenOptions` is what the caller may say, all of it optional; `ResolvedOptions` is what the engine works
 * with, all of it decided. Encodings stay in the public face and are not part of `ResolvedOptions`.
 */
import type { FileSystem } from '../env/file-system.ts'
import type { AnyEncoding } from '../key/encoding.ts'
import {
  booleanOption,
  choiceOption,
  functionOption,
  optionalOptions,
  ownOption,
  wholeOption,
} from '../util/own-option.ts'
import type { Durability, StoreEvent } from './engine-types.ts'

export type CompressionName = 'none' | 'lz4' | 'zstd'
export type RecoveryMode = 'tail' | 'strict' | 'pointInTime'

/** What `open` takes. Sizes are bytes. A wrong type is a `TypeError`, a bad value or name a `RangeError`. */
export interface OpenOptions<
  KE extends AnyEncoding = AnyEncoding,
  VE extends AnyEncoding = AnyEncoding,
> {
  /** How keys are encoded unless a call says otherwise. Default `'utf8'`. */
  readonly keyEncoding?: KE | undefined
  /** How values are encoded unless a call says otherwise. Default `'utf8'`. */
  readonly valueEncoding?: VE | undefined
  /** Create the store when there is none; else `NOT_FOUND`. Default true, false with `readOnly`. */
  readonly createIfMissing?: boolean | undefined
  /** Fail with `EXISTS` when there is a store. Default false. */
  readonly errorIfExists?: boolean | undefined
  /** Write nothing at all; writes reject with `UNSUPPORTED`. `LOCKED` if a writer is detectable. Default false. */
  readonly readOnly?: boolean | undefined
  /** What an acknowledged write survives. Default `'process'`. */
  readonly durability?: Durability | undefined
  /** Bound of all memtables together, 64 KiB to 1 GiB. Default 64 MiB. */
  readonly memtableSize?: number | undefined
  /** Bound of the block cache, 1 MiB to 2 GiB. Default a quarter of memory, within 16 to 256 MiB. */
  readonly cacheSize?: number | undefined
  /** Of new tables below level 0. `'zstd'` is `UNSUPPORTED` where the runtime lacks it. Default `'lz4'`. */
  readonly compression?: CompressionName | undefined
  /** Filter bits a key, 0 to 32; 0 builds no filters. Default 10. */
  readonly bloomBitsPerKey?: number | undefined
  /** Levels of tables, level 0 included, 2 to 12. Default 7. */
  readonly maxLevels?: number | undefined
  /** What open does about a damaged log. Default `'tail'`. */
  readonly recovery?: RecoveryMode | undefined
  /** Background workers, 0 or 1. Default 1, and 0 with `preset: 'edge'` or when `fs`, `clock` or `random` is given. */
  readonly workers?: 0 | 1 | undefined
  /** `'edge'`: memtables and cache of 4 MiB each, and no workers, unless they are given. */
  readonly preset?: 'edge' | undefined
  /** Told of background work, stalls and failures. What it throws, or rejects with, is ignored. */
  readonly onEvent?: ((event: StoreEvent) => void) | undefined
  /** For tests: another file system. */
  readonly fs?: FileSystem | undefined
  /** For tests: the time in milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined
  /** For tests: a number in [0, 1). Store id and hash seed come from it. */
  readonly random?: (() => number) | undefined
}

/** Every option decided. */
export interface ResolvedOptions {
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
  readonly readOnly: boolean
  readonly durability: Durability
  readonly memtableSize: number
  readonly cacheSize: number
  readonly compression: CompressionName
  readonly bloomBitsPerKey: number
  readonly maxLevels: number
  readonly recovery: RecoveryMode
  readonly workers: 0 | 1
  readonly onEvent: ((event: StoreEvent) => void) | undefined
  /** `undefined`: the machine's. */
  readonly fs: FileSystem | undefined
  readonly clock: (() => number) | undefined
  readonly random: (() => number) | undefined
}

const KIB = 1024
const MIB = 1024 * KIB

export const MEMTABLE_SIZE_MIN: number = 64 * KIB
export const MEMTABLE_SIZE_MAX: number = 1024 * MIB
export const CACHE_SIZE_MIN: number = MIB
export const CACHE_SIZE_MAX: number = 2048 * MIB
const EDGE_SIZE = 4 * MIB

const NAMES: readonly string[] = [
  'keyEncoding',
  'valueEncoding',
  'createIfMissing',
  'errorIfExists',
  'readOnly',
  'durability',
  'memtableSize',
  'cacheSize',
  'compression',
  'bloomBitsPerKey',
  'maxLevels',
  'recovery',
  'workers',
  'preset',
  'onEvent',
  'fs',
  'clock',
  'random',
] satisfies readonly (keyof OpenOptions)[]

const FILE_SYSTEM_METHODS = [
  'open',
  'makeDirectory',
  'list',
  'status',
  'rename',
  'remove',
  'removeDirectory',
  'syncDirectory',
  'lock',
  'lockHolder',
] as const satisfies readonly (keyof FileSystem)[]

/**
 * Checks the options and fills in the defaults.
 *
 * `totalMemory` gives what the machine or container has, in bytes, `undefined` when that is not known; it is asked only for what
 * nobody has said.
 */
export function resolveOptions(
  given: OpenOptions | undefined,
  totalMemory: () => number | undefined,
): ResolvedOptions {
  const options = optionalOptions(given)
  refuseUnknownNames(options)
  const preset = choiceOption(options, 'preset', ['edge'] as const)
  const defaultCache = (): number => {
    return preset === 'edge' ? EDGE_SIZE : defaultCacheSize(totalMemory())
  }
  const defaultMemtable = preset === 'edge' ? EDGE_SIZE : 64 * MIB
  return {
    ...resolveExistence(options),
    ...resolveEnvironment(options, preset === 'edge' ? 0 : 1),
    durability:
      choiceOption(options, 'durability', ['none', 'process', 'disk'] as const) ?? 'process',
    memtableSize:
      wholeOption(options, 'memtableSize', MEMTABLE_SIZE_MIN, MEMTABLE_SIZE_MAX) ?? defaultMemtable,
    cacheSize: wholeOption(options, 'cacheSize', CACHE_SIZE_MIN, CACHE_SIZE_MAX) ?? defaultCache(),
    compression: choiceOption(options, 'compression', ['none', 'lz4', 'zstd'] as const) ?? 'lz4',
    bloomBitsPerKey: wholeOption(options, 'bloomBitsPerKey', 0, 32) ?? 10,
    maxLevels: wholeOption(options, 'maxLevels', 2, 12) ?? 7,
    recovery:
      choiceOption(options, 'recovery', ['tail', 'strict', 'pointInTime'] as const) ?? 'tail',
    onEvent: functionOption<(event: StoreEvent) => void>(options, 'onEvent'),
  }
}

/** A quarter of memory, within 16 to 256 MiB; 16 MiB when nobody knows. A multiple of 1 MiB. */
export function defaultCacheSize(totalMemory: number | undefined): number {
  if (totalMemory === undefined || !(totalMemory > 0)) return 16 * MIB
  const quarter = Math.floor(totalMemory / 4 / MIB) * MIB
  return Math.min(256 * MIB, Math.max(16 * MIB, quarter))
}

function refuseUnknownNames(options: object): void {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw new RangeError(`there is no option named '${name}'`)
  }
}

type Existence = Pick<ResolvedOptions, 'createIfMissing' | 'errorIfExists' | 'readOnly'>

function resolveExistence(options: object): Existence {
  const readOnly = booleanOption(options, 'readOnly') ?? false
  const createIfMissing = booleanOption(options, 'createIfMissing')
  const errorIfExists = booleanOption(options, 'errorIfExists') ?? false
  if (readOnly && createIfMissing === true) {
    throw new RangeError('createIfMissing must not be true together with readOnly')
  }
  if (errorIfExists && (readOnly || createIfMissing === false)) {
    throw new RangeError('errorIfExists must not be true where no store may be created')
  }
  return { createIfMissing: createIfMissing ?? !readOnly, errorIfExists, readOnly }
}

type Environment = Pick<ResolvedOptions, 'fs' | 'clock' | 'random' | 'workers'>

function resolveEnvironment(options: object, defaultWorkers: 0 | 1): Environment {
  const fs = fileSystemOption(options)
  const clock = functionOption<() => number>(options, 'clock')
  const random = functionOption<() => number>(options, 'random')
  const injected = fs !== undefined || clock !== undefined || random !== undefined
  const workers = wholeOption(options, 'workers', 0, 1) as 0 | 1 | undefined
  if (workers === 1 && injected) {
    // Objects cannot cross to a worker.
    throw new RangeError('workers must be 0 together with fs, clock or random')
  }
  return { fs, clock, random, workers: workers ?? (injected ? 0 : defaultWorkers) }
}

/** The option `fs`; `undefined` for the machine's. Throws `TypeError`. */
export function fileSystemOption(options: object): FileSystem | undefined {
  const fs = ownOption(options, 'fs')
  if (fs === undefined) return undefined
  if (typeof fs !== 'object' || fs === null) throw new TypeError('fs must be a FileSystem')
  for (const method of FILE_SYSTEM_METHODS) {
    if (typeof (fs as Partial<FileSystem>)[method] !== 'function') {
      throw new TypeError(`fs must be a FileSystem: it has no method ${method}`)
    }
  }
  return fs as FileSystem
}
