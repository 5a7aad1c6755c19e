/**
 * A file for reading in which what cannot be read is zero: a failing sector costs repair what lies in it and no more. Zeros
 * verify nowhere, so the loss is seen and told.
 */
import { systemError } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'

const SECTOR_BYTES = 4096

export class ForgivingFile implements File {
  readonly #file: File

  constructor(file: File) {
    this.#file = file
  }

  read(target: Uint8Array, position: number): number {
    try {
      return this.#file.read(target, position)
    } catch {
      return this.#readSectors(target, position)
    }
  }

  #readSectors(target: Uint8Array, position: number): number {
    const size = Math.min(target.length, Math.max(0, this.size() - position))
    for (let at = 0; at < size; ) {
      const untilNext = SECTOR_BYTES - ((position + at) % SECTOR_BYTES)
      const part = target.subarray(at, Math.min(size, at + untilNext))
      part.fill(0)
      try {
        this.#file.read(part, position + at)
      } catch {
        part.fill(0)
      }
      at += part.length
    }
    return size
  }

  size(): number {
    return this.#file.size()
  }

  close(): void {
    this.#file.close()
  }

  write(): number {
    throw systemError('EBADF', 'the file is open for reading')
  }

  sync(): void {
    throw systemError('EBADF', 'the file is open for reading')
  }

  async syncAsync(): Promise<void> {
    this.sync()
  }

  truncate(): void {
    throw systemError('EBADF', 'the file is open for reading')
  }
}
