/** What the decoder fuzzing is made of: decoders, each with inputs that are nearly right. */
import { SedgeError } from '../../../src/errors.ts'
import type { Random } from '../../support/seed.ts'

export interface Target {
  readonly name: string
  /** How often it is chosen. */
  readonly weight: number
  /** Makes an input, decodes it in every way that there is, and throws where these do not agree. */
  run(random: Random): void
}

/** What a decoder gave: a value, or the code of its refusal. Anything but damage and formats is thrown on. */
export function outcomeOf<T>(decode: () => T): { value: T } | { code: string } {
  try {
    return { value: decode() }
  } catch (error) {
    const isTyped = error instanceof SedgeError
    if (!isTyped || !['CORRUPTION', 'FORMAT', 'UNSUPPORTED'].includes(error.code)) throw error
    return { code: error.code }
  }
}

/** Runs `decode` and throws when it allocates arrays of bytes that its input does not explain. */
export function withinMemory<T>(inputBytes: number, decode: () => T): T {
  const most = 4 * inputBytes + 2 ** 21
  const Original = globalThis.Uint8Array
  let largest = 0
  globalThis.Uint8Array = new Proxy(Original, {
    construct(target, given: [number]) {
      const [first] = given
      if (typeof first === 'number') largest = Math.max(largest, first)
      if (largest > most) throw new Error(`${largest} bytes for an input of ${inputBytes}`)
      return Reflect.construct(target, given) as Uint8Array
    },
  })
  try {
    return decode()
  } finally {
    globalThis.Uint8Array = Original
  }
}

export function expectEqual(what: string, left: unknown, right: unknown): void {
  if (left !== right) throw new Error(`${what}: ${String(left)} is not ${String(right)}`)
}
