/** Copies of a store's directory that take no more space than it: LMDB's file is mostly holes. */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const CHUNK_BYTES = 1 << 20
const ZEROS = Buffer.alloc(CHUNK_BYTES)

/** Copies all files of a directory into another; what is zero is not written. */
export function copySparse(source: string, target: string): void {
  mkdirSync(target, { recursive: true })
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = join(source, entry.name)
    const to = join(target, entry.name)
    if (entry.isDirectory()) copySparse(from, to)
    else if (entry.isFile()) copyFile(from, to)
  }
}

function copyFile(source: string, target: string): void {
  const from = openSync(source, 'r')
  const to = openSync(target, 'w')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let at = 0; ; ) {
    const bytes = readSync(from, chunk, 0, CHUNK_BYTES, at)
    if (bytes === 0) break
    const isZero = chunk.compare(ZEROS, 0, bytes, 0, bytes) === 0
    if (!isZero) writeSync(to, chunk, 0, bytes, at)
    at += bytes
  }
  ftruncateSync(to, statSync(source).size)
  closeSync(from)
  closeSync(to)
}
