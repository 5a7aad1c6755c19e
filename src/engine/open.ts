/**
 * From a path and options to an open `Database`: checks everything, then opens the engine [OPT-1].
 */
import { laterTurn, nodeEnvironment } from '../env/environment.ts'
import { type AnyEncoding, codecFor, type Decoded } from '../key/encoding.ts'
import { optionalOptions, ownOption } from '../util/own-option.ts'
import { Database } from './database.ts'
import { Engine } from './engine.ts'
import type { EngineLike } from './engine-types.ts'
import { type OpenOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { fixedPath, pathArgument } from './store-arguments.ts'

/** What `open` can be called with. */
export interface Open {
  /**
   * Opens the store in the directory `path`, creating it unless told otherwise.
   *
   * The types of keys and values follow from the encodings. Rejects with `TypeError` and `RangeError` for wrong
   * arguments, and with `SedgeError`: `LOCKED`, `NOT_FOUND`, `EXISTS`, `CORRUPTION`, `FORMAT`, `IO`, `FULL`, `UNSUPPORTED`.
   */
  <KE extends AnyEncoding = 'utf8', VE extends AnyEncoding = 'utf8'>(
    path: string,
    options?: OpenOptions<KE, VE>,
  ): Promise<Database<Decoded<KE>, Decoded<VE>>>
  /** The same, with the types of keys and values as the caller asserts them: `open<string, User>(…)`. */
  <K, V>(path: string, options?: OpenOptions): Promise<Database<K, V>>
}

/** Opens an engine over files, or a stand-in for one. */
export type EngineOpener = (path: string, options: ResolvedOptions) => Promise<EngineLike>

/** The `open` that uses this engine. */
export function openWith(openEngine: EngineOpener): Open {
  return async function open<K, V>(path: string, given?: OpenOptions): Promise<Database<K, V>> {
    try {
      pathArgument(path, 'path')
      const environment = nodeEnvironment()
      const options = optionalOptions(given)
      const resolved = resolveOptions(options, environment.totalMemory)
      const keys = codecFor(ownOption(options, 'keyEncoding') ?? 'utf8', 'key')
      const values = codecFor(ownOption(options, 'valueEncoding') ?? 'utf8', 'value')
      const engine = await openEngine(fixedPath(path, resolved.fs), resolved)
      return new Database<K, V>({ engine, keys, values, defer: environment.defer })
    } catch (error) {
      // Whoever tries again at once waits, perhaps, for somebody of this process who has to come to close it [API-25].
      await laterTurn()
      throw error
    }
  }
}

export const open: Open = openWith((path, options) => Engine.open(path, options))
