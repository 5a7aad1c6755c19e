/** Varints, slow and obvious: the oracle of assembly/varint.ts. */

/** The encoding of a whole number from 0 up to below 2^56. */
export function encodeVarint(value: bigint): Uint8Array {
  const groups: number[] = []
  for (let rest = value; rest > 0n || groups.length === 0; rest /= 128n) {
    groups.push(Number(rest % 128n))
  }
  return Uint8Array.from(groups, (group, index) =>
    index < groups.length - 1 ? group + 128 : group,
  )
}

/** The number at the start of `bytes` and the length of its encoding, or `undefined` if there is none. */
export function decodeVarint(bytes: Uint8Array): { value: bigint; bytes: number } | undefined {
  const last = bytes.findIndex((byte) => byte < 128)
  if (last < 0 || last > 7) return undefined
  if (last > 0 && bytes[last] === 0) return undefined
  let value = 0n
  for (let index = last; index >= 0; index--) value = value * 128n + BigInt(bytes[index]! % 128)
  return { value, bytes: last + 1 }
}
