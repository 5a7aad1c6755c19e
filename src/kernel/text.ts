/**
 * Strings and bytes into and out of the kernel's memory. Short ASCII, which keys mostly are, goes through a plain loop: it beats
 * a call into the runtime up to about 64 characters.
 */
import { Buffer } from 'node:buffer'

const LOOP_MAX = 64

/** Most bytes that the UTF-8 form of `text`, or `text` itself, may take. */
export function bytesMax(text: string | Uint8Array): number {
  return typeof text === 'string' ? text.length * 3 : text.length
}

/** Writes UTF-8 or bytes at `at` and returns how many bytes. Requires `bytesMax(text)` bytes of room. */
export function writeText(memory: Buffer, at: number, text: string | Uint8Array): number {
  if (typeof text !== 'string') {
    memory.set(text, at)
    return text.length
  }
  const length = text.length
  if (length <= LOOP_MAX) {
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) break
      memory[at + i] = code
    }
    if (i === length) return length
  }
  return memory.write(text, at, 'utf8')
}

/** Decodes UTF-8 at `at`. */
export function readText(memory: Buffer, at: number, length: number): string {
  return utf8Slice.call(memory, at, at + length)
}

/** What `toString('utf8')` calls behind its checks, which cost as much as decoding a short key. */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Buffer, start: number, end: number): string
}
