/**
 * Strings and bytes into and out of the kernel's memory. Short ASCII, which keys mostly are, goes through a plain loop: it beats
 * a call into the runtime up to about 64 characters.
 */
import { Buffer } from 'node:buffer'

const LOOP_MAX = 64
/** How many texts, and bytes of texts, are made one string at most. */
const TOGETHER_MAX = 16
const TOGETHER_BYTES = 1024

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
const { utf8Slice, latin1Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Buffer, start: number, end: number): string
  latin1Slice(this: Buffer, start: number, end: number): string
}

/**
 * `count` texts that lie one behind the other from `at`, all of them ASCII: `lengths` says at `first`, and every `stride` from
 * there, how long each is. Short ones are cut from a string of several, because the call that makes a string costs several times the cut. A
 * text that is kept keeps those cut from the same string: a kilobyte at most.
 */
export function splitAscii(
  memory: Buffer,
  at: number,
  lengths: Uint32Array,
  first: number,
  stride: number,
  count: number,
): string[] {
  const texts = new Array<string>(count)
  let start = at
  for (let i = 0; i < count; ) {
    let bytes = lengths[first + i * stride] as number
    let end = i + 1
    for (; end < count && end - i < TOGETHER_MAX; end++) {
      const more = bytes + (lengths[first + end * stride] as number)
      if (more > TOGETHER_BYTES) break
      bytes = more
    }
    const together = latin1Slice.call(memory, start, start + bytes)
    for (let from = 0; i < end; i++) {
      const to = from + (lengths[first + i * stride] as number)
      texts[i] = together.substring(from, to)
      from = to
    }
    start += bytes
  }
  return texts
}
