/** LZ4: the kernel's decoder, with bytes around its target that must stay as they are, and the one that works without it. */
import { decodeLz4 } from '../../../src/table/lz4-decoder.ts'
import { encodeSequences, lz4Decompress, type Sequence } from '../../reference/lz4.ts'
import { mutated } from '../../support/mutation.ts'
import { type Random, seededRandom } from '../../support/seed.ts'
import { expectEqual, type Target } from './target.ts'

const SAMPLES = 32
const REDZONE_BYTES = 64
const REDZONE = 0xa5
/** What the kernel lets its decoder write into at most. */
const SIZE_MAX = 4096

export async function lz4Target(): Promise<Target> {
  // It brings the compiler along, which takes half a second that other suites need not wait for.
  const { codecKernel } = await import('../../support/codec-kernel.ts')
  const codecs = await codecKernel('checked')
  const source = codecs.allocate(2 * SIZE_MAX)
  const zone = codecs.allocate(SIZE_MAX + 2 * REDZONE_BYTES + 32)
  const samples = Array.from({ length: SAMPLES }, (_, i) => sample(seededRandom(i)))
  return {
    name: 'lz4',
    weight: 6,
    run(random) {
      const { block, size } = random.pick(samples)
      const bytes = mutated(random, block)
      const claimed = random.chance(0.8) ? size : Math.max(0, size + random.int(-20, 21))
      const here = decodeLz4(bytes, claimed)
      codecs.place(bytes, source)
      // The decoder may use 32 bytes behind the target as room for its strides.
      const end = zone + REDZONE_BYTES + claimed + 32
      codecs.bytes.fill(REDZONE, zone, end + REDZONE_BYTES)
      const target = zone + REDZONE_BYTES
      const isDone = codecs.exports.lz4Decompress(source, bytes.length, target, claimed) !== 0
      expectEqual('decoded', isDone, here !== undefined)
      if (here !== undefined) {
        const same = Buffer.compare(codecs.bytes.subarray(target, target + claimed), here) === 0
        expectEqual('content', same, true)
      }
      const before = codecs.bytes.subarray(zone, target)
      const behind = codecs.bytes.subarray(end, end + REDZONE_BYTES)
      const isUntouched = [before, behind].every((one) => one.every((byte) => byte === REDZONE))
      expectEqual('bytes around the target untouched', isUntouched, true)
    },
  }
}

function sample(random: Random): { block: Uint8Array; size: number } {
  const sequences: Sequence[] = []
  let size = 0
  for (let left = random.int(1, 9); left > 0; left--) {
    const literals = random.bytes(random.pick([0, 1, 4, 14, 15, 16, 40, 300]))
    size += literals.length
    const offset = random.int(1, Math.max(2, size + 1))
    const length = random.pick([4, 5, 18, 19, 20, 100, 290])
    const match = size === 0 ? undefined : { offset: Math.min(offset, size), length }
    if (match === undefined) continue
    size += length
    sequences.push({ literals, match })
  }
  const literals = random.bytes(random.int(5, 20))
  size += literals.length
  const block = encodeSequences([...sequences, { literals, match: undefined }])
  const decoded = lz4Decompress(block, size)
  if (decoded?.length !== size || size > SIZE_MAX) throw new Error('a sample that is none')
  return { block, size }
}
