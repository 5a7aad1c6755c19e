/** Integers to little-endian bytes and back, one byte at a time. */

/** The low `count` bytes of a whole number, two's complement when it is negative. */
export function littleEndian(value: number | bigint, count: number): number[] {
  let rest = BigInt.asUintN(count * 8, BigInt(value))
  return Array.from({ length: count }, () => {
    const byte = Number(rest % 256n)
    rest /= 256n
    return byte
  })
}

/** The unsigned number that `count` bytes from `at` spell. */
export function readUnsigned(bytes: Uint8Array, at: number, count: number): bigint {
  if (at + count > bytes.length) throw new RangeError('the bytes end too early')
  let value = 0n
  for (let i = count - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[at + i]!)
  return value
}

export function readNumber(bytes: Uint8Array, at: number, count: number): number {
  return Number(readUnsigned(bytes, at, count))
}

export function readSigned(bytes: Uint8Array, at: number, count: number): number {
  return Number(BigInt.asIntN(count * 8, readUnsigned(bytes, at, count)))
}

/** All parts one after the other. */
export function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
