/**
 * Tables that are compressed with zstd, on a runtime that has none: the store is refused when it is opened, not at some
 * read [OPT-11]. Costs one read of 72 bytes a table, and only there.
 */
import { closeQuietly, readFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { SedgeError } from '../errors.ts'
import { BlockCodec } from '../table/block-decoder.ts'
import {
  decodeHeader,
  TABLE_HEADER_BYTES,
  TABLE_HEADER_CODEC,
  type TableHeader,
  tableIdentity,
} from '../table/table-format.ts'
import { tableFileName } from '../version/file-names.ts'

/** The store whose tables are looked at. */
interface StoreOfTables {
  readonly directory: string
  readonly storeId: Uint8Array
  readonly tables: readonly { readonly number: number }[]
}

/**
 * Throws `UNSUPPORTED`, naming the file, if the header of a table says zstd. What cannot be read or does not verify is not
 * judged here: the reads that touch it say what is wrong, and the others go on [ERR-4].
 */
export function refuseZstdTables(fs: FileSystem, store: StoreOfTables): void {
  for (const { number } of store.tables) {
    const name = tableFileName(number)
    const header = zstdHeader(fs, `${store.directory}/${name}`, name)
    if (header?.number !== number) continue
    if (header.identity !== tableIdentity(store.storeId, number)) continue
    const message = `${name} is compressed with zstd, which this runtime does not have`
    throw new SedgeError('UNSUPPORTED', message, { file: name })
  }
}

/** The header of a table that is compressed with zstd; `undefined` of any other, and where it cannot be read. */
function zstdHeader(fs: FileSystem, path: string, name: string): TableHeader | undefined {
  let file: File | undefined
  try {
    file = fs.open(path, 'read')
    const bytes = new Uint8Array(TABLE_HEADER_BYTES)
    const isWhole = readFully(file, bytes, 0) === bytes.length
    const isZstd = isWhole && bytes[TABLE_HEADER_CODEC] === BlockCodec.zstd
    return isZstd ? decodeHeader(name, bytes) : undefined
  } catch {
    return undefined
  } finally {
    closeQuietly(file)
  }
}
