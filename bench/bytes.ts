/** The kernel's small functions over bytes, beside their twins and what the runtime brings. */
import { compareKeys } from '../test/reference/entry.ts'
import { decodeVarint, encodeVarint } from '../test/reference/varint.ts'
import { type CodecKernel, codecKernel } from '../test/support/codec-kernel.ts'
import type { Random } from '../test/support/seed.ts'
import { compare } from './suite.ts'

const PREFIX_BYTES = 24

export async function benchBytes(random: Random): Promise<void> {
  const kernel = await codecKernel('release')
  benchCompare(kernel, random)
  benchCopy(kernel, random)
  benchVarint(kernel)
}

/** Keys that differ behind what they have in common. */
function benchCompare(kernel: CodecKernel, random: Random): void {
  const { exports } = kernel
  const shared = random.bytes(PREFIX_BYTES)
  const [left, right] = [1, 2].map((last) => Buffer.from([...shared, last, ...random.bytes(7)]))
  const n = left!.length
  const at = kernel.place(left!)
  const other = kernel.place(right!)
  compare(`comparing keys of ${n} bytes, ${PREFIX_BYTES} in common`, 1, {
    kernel: () => exports.compareBytes(at, n, other, n),
    'Buffer.compare': () => left!.compare(right!),
    twin: () => compareKeys(left!, right!),
  })
  compare(`the length of what keys of ${n} bytes have in common`, 1, {
    kernel: () => exports.commonPrefix(at, n, other, n),
    twin: () => commonPrefix(left!, right!),
  })
}

function commonPrefix(left: Uint8Array, right: Uint8Array): number {
  let at = 0
  while (at < left.length && left[at] === right[at]) at++
  return at
}

function benchCopy(kernel: CodecKernel, random: Random): void {
  for (const n of [16, 100, 4096]) {
    const from = kernel.place(random.bytes(n))
    const to = kernel.allocate(n)
    compare(`copying ${n} bytes within memory`, 1, {
      kernel: () => kernel.exports.copyBytes(to, from, n),
      copyWithin: () => kernel.bytes.copyWithin(to, from, from + n),
    })
  }
}

function benchVarint(kernel: CodecKernel): void {
  const value = 300_000
  const bytes = encodeVarint(BigInt(value))
  const at = kernel.allocate(16)
  const out = kernel.allocate(16)
  compare(`a varint of ${bytes.length} bytes, written`, 1, {
    kernel: () => kernel.exports.putVarintOf(at, value, 0),
    twin: () => encodeVarint(BigInt(value)),
  })
  compare(`a varint of ${bytes.length} bytes, read`, 1, {
    kernel: () => kernel.exports.readVarintTo(at, at + bytes.length, out),
    twin: () => decodeVarint(bytes),
  })
}
