/**
 * Reads of files that are read from front to back, several at a time: each gets a *window* of bytes that have been read
 * in one call. A window serves what lies in it whole; anything else begins it anew.
 *
 * Call protocol: new (read | forget)*.
 */
import { readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'

/** A call for fifteen blocks costs little more than one for a block. */
export const WINDOW_BYTES: number = 64 * 1024

interface Window {
  readonly bytes: Uint8Array
  /** What it belongs to. */
  file: File | undefined
  /** Where in the file it begins, and how many bytes it has. */
  start: number
  length: number
  used: number
}

export class ReadAhead {
  readonly #windowsMax: number
  readonly #windows: Window[] = []
  #uses = 0

  /** Keeps at most `windowsMax` windows: one for each file that is read meanwhile. */
  constructor(windowsMax: number) {
    this.#windowsMax = windowsMax
  }

  /** Fills `target` from `position` on; returns how many bytes there are, fewer only at the end of the file. */
  read(file: File, target: Uint8Array, position: number): number {
    if (target.length >= WINDOW_BYTES) return readFully(file, target, position)
    const window = this.#windowOf(file)
    let from = position - window.start
    if (from < 0 || from + target.length > window.length) {
      window.length = 0
      window.length = readFully(file, window.bytes, position)
      window.start = position
      from = 0
    }
    const count = Math.min(target.length, window.length - from)
    target.set(window.bytes.subarray(from, from + count))
    return count
  }

  /** The file is to be closed. */
  forget(file: File): void {
    const window = this.#windows.find((one) => one.file === file)
    if (window === undefined) return
    window.file = undefined
    window.length = 0
  }

  #windowOf(file: File): Window {
    let window = this.#windows.find((one) => one.file === file)
    if (window === undefined) {
      window = this.#freeWindow()
      window.file = file
      window.length = 0
    }
    window.used = ++this.#uses
    return window
  }

  /** One that nobody has, a new one, or the one used longest ago. */
  #freeWindow(): Window {
    const free = this.#windows.find((one) => one.file === undefined)
    if (free !== undefined) return free
    if (this.#windows.length < this.#windowsMax) {
      const bytes = new Uint8Array(WINDOW_BYTES)
      const window: Window = { bytes, file: undefined, start: 0, length: 0, used: 0 }
      this.#windows.push(window)
      return window
    }
    return this.#windows.reduce((oldest, one) => (one.used < oldest.used ? one : oldest))
  }
}
