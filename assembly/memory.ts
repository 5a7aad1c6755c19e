/**
 * Allocator: segregated fit with boundary tags over linear memory, O(1), never traps when memory ends.
 *
 *   block:  | size u32, bit 0 = free | size of the block below u32 | next free | previous free | payload …
 *           '-------------------- header, 16 bytes: the payload is 16-aligned --------------'
 *
 * Free blocks hang in lists by size class (power of two, 16 steps each), with bitmaps over them. Neighbours
 * are merged when freed. The last block is a sentinel that is never free. Memory grows in `grow`, only.
 */

const HEADER: usize = 16
const BLOCK_MIN: u32 = 32
const CLASSES: u32 = 28
const STEPS: u32 = 16

const lists: usize = memory.data(28 * 16 * 4, 4)
const stepMaps: usize = memory.data(28 * 4, 4)
let classMap: u32 = 0
let last: usize = 0
let allocated: u32 = 0
let allocationLimit: u32 = 0xffffffff

// @ts-ignore: decorator
@inline
function sizeOf(block: usize): u32 {
  return load<u32>(block) & ~1
}

// @ts-ignore: decorator
@inline
function isFree(block: usize): bool {
  return (load<u32>(block) & 1) != 0
}

// @ts-ignore: decorator
@inline
function below(block: usize): usize {
  const bytes = load<u32>(block, 4)
  return bytes == 0 ? 0 : block - bytes
}

// @ts-ignore: decorator
@inline
function stepOf(size: u32, power: u32): u32 {
  return (size >> (power - 4)) & 15
}

function insertFree(block: usize, size: u32): void {
  const power: u32 = 31 - clz(size)
  const cls: u32 = power - 4
  const step = stepOf(size, power)
  const list = lists + (((cls * STEPS + step) as usize) << 2)
  const head = load<u32>(list)
  store<u32>(block, size | 1)
  store<u32>(block, head, 8)
  store<u32>(block, 0, 12)
  if (head != 0) store<u32>(head, block as u32, 12)
  store<u32>(list, block as u32)
  const map = stepMaps + ((cls as usize) << 2)
  store<u32>(map, load<u32>(map) | (1 << step))
  classMap |= 1 << cls
}

function removeFree(block: usize): void {
  const size = sizeOf(block)
  const next = load<u32>(block, 8)
  const previous = load<u32>(block, 12)
  if (next != 0) store<u32>(next, previous, 12)
  if (previous != 0) {
    store<u32>(previous, next, 8)
  } else {
    const power: u32 = 31 - clz(size)
    const cls: u32 = power - 4
    const step = stepOf(size, power)
    store<u32>(lists + (((cls * STEPS + step) as usize) << 2), next)
    if (next == 0) {
      const map = stepMaps + ((cls as usize) << 2)
      const bits = load<u32>(map) & ~(1 << step)
      store<u32>(map, bits)
      if (bits == 0) classMap &= ~(1 << cls)
    }
  }
  store<u32>(block, size)
}

/** The first free block of at least `size` bytes, 0 if there is none. */
function findFree(size: u32): usize {
  // Rounded up to the next step, so that any block of the list that is found fits.
  const power0: u32 = 31 - clz(size)
  let wanted = size + ((1 << (power0 - 4)) - 1)
  if (wanted < size) return 0
  const power: u32 = 31 - clz(wanted)
  const cls: u32 = power - 4
  const step = stepOf(wanted, power)
  let bits = load<u32>(stepMaps + ((cls as usize) << 2)) & (0xffffffff << step)
  let found: u32 = cls
  if (bits == 0) {
    if (cls + 1 >= CLASSES) return 0
    const classes = classMap & (0xffffffff << (cls + 1))
    if (classes == 0) return 0
    found = ctz(classes) as u32
    bits = load<u32>(stepMaps + ((found as usize) << 2))
  }
  return load<u32>(lists + (((found * STEPS + ctz(bits)) as usize) << 2))
}

/** Adds pages for at least `size` bytes as one free block. */
function grow(size: u32): bool {
  if (last == 0) {
    last = (__heap_base + 15) & ~15
    store<u32>(last, 16)
    store<u32>(last, 0, 4)
    const room = (<usize>memory.size() << 16) - last
    if (room > 64) extend(((room & ~15) - 16) as u32)
    if (findFree(size) != 0) return true
  }
  const pagesNow = memory.size()
  const need = (((<u64>size + 64 + 0xffff) >> 16) as i32)
  // A sixteenth of what there is at least, so that a growing cache does not ask page by page.
  let pages = max(need, pagesNow >> 4)
  if (memory.grow(pages) < 0) {
    pages = need
    if (memory.grow(pages) < 0) return false
  }
  extend((<u32>pages) << 16)
  return true
}

/** Turns `bytes` of new memory behind the sentinel into a free block. */
function extend(bytes: u32): void {
  const block = last
  const free = bytes < 0xffffff00 ? bytes : 0xffffff00
  const under = below(block)
  last = block + free
  store<u32>(last, 16)
  store<u32>(last, free, 4)
  store<u32>(block, free)
  if (under != 0 && isFree(under)) {
    const merged = sizeOf(under) + free
    removeFree(under)
    insertFree(under, merged)
    store<u32>(last, merged, 4)
  } else {
    insertFree(block, free)
  }
}

/** `bytes` of memory, 16-aligned, content undefined; 0 when memory is exhausted. May grow. */
export function allocate(bytes: u32): usize {
  if (bytes > 0xf0000000) return 0
  const size = max(BLOCK_MIN, (bytes + 16 + 15) & ~15)
  if (allocated + size > allocationLimit || allocated + size < allocated) return 0
  let block = findFree(size)
  if (block == 0) {
    if (!grow(size + (size >> 4))) return 0
    block = findFree(size)
    if (block == 0) return 0
  }
  removeFree(block)
  const rest = sizeOf(block) - size
  if (rest >= BLOCK_MIN) {
    store<u32>(block, size)
    const tail = block + size
    store<u32>(tail, size, 4)
    store<u32>(tail + rest, rest, 4)
    insertFree(tail, rest)
  }
  allocated += sizeOf(block)
  if (CHECKED) memory.fill(block + HEADER, 0xcd, sizeOf(block) - (HEADER as u32))
  return block + HEADER
}

/** Gives memory of `allocate` back. Zero is allowed. */
export function free(address: usize): void {
  if (address == 0) return
  let block = address - HEADER
  let size = load<u32>(block)
  assert((size & 1) == 0, 'double free')
  allocated -= size
  if (CHECKED) memory.fill(address, 0xcc, size - (HEADER as u32))
  const above = block + size
  if (isFree(above)) {
    size += sizeOf(above)
    removeFree(above)
  }
  const under = below(block)
  if (under != 0 && isFree(under)) {
    size += sizeOf(under)
    removeFree(under)
    block = under
  }
  insertFree(block, size)
  store<u32>(block + size, size, 4)
}

/** How many bytes `address` may hold. */
export function capacityOf(address: usize): u32 {
  return sizeOf(address - HEADER) - (HEADER as u32)
}

/** Moves the first `used` bytes to a block of at least `bytes`; 0 (and the old block stays) when memory is exhausted. */
export function reallocate(address: usize, used: u32, bytes: u32): usize {
  if (address != 0 && capacityOf(address) >= bytes) return address
  const moved = allocate(bytes)
  if (moved == 0) return 0
  if (address != 0) {
    memory.copy(moved, address, used)
    free(address)
  }
  return moved
}

/**
 * As `reallocate`, with room for as much again where it has to move: for what grows entry by entry. The factor must not be
 * asked for by the caller, who would then move every time.
 */
export function enlarge(address: usize, used: u32, bytes: u32): usize {
  if (address != 0 && capacityOf(address) >= bytes) return address
  return reallocate(address, used, bytes > u32.MAX_VALUE >> 1 ? bytes : bytes << 1)
}

/** Bytes handed out and not given back. */
export function allocatedBytes(): u32 {
  return allocated
}

/** For tests: allocations fail beyond this many bytes. */
export function setAllocationLimit(bytes: u32): void {
  allocationLimit = bytes
}
