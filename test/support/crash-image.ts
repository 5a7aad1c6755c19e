/**
 * What a disk may hold after a power cut: what was synced, and of the changes behind that a part which a policy picks. What
 * was synced is never touched.
 */
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { Random } from './seed.ts'

const SECTOR_BYTES = 512

/**
 * - `'lost'`: only what was synced. `'kept'`: everything, as when a process is killed.
 * - `'data'`: all content, but names only as they were synced. `'names'`: all names, but content only as it was synced, zeros
 *   where a file had grown.
 * - A random source: any subset of names, and of content by sectors, each new, old, or garbage where there was nothing.
 * - `prefix`: everything up to some moment. `suffix`: what came after some moment, and nothing before it.
 * - `files`: any subset of names, and each file as it is or as it was synced.
 * - `garbage`: any subset of names; files have grown, and sectors that did not arrive hold noise, or what a file held there that is
 *   gone.
 * - `doubled`: as a random source, but of a rename both names may be there.
 */
export type CrashPolicy =
  | 'lost'
  | 'kept'
  | 'data'
  | 'names'
  | Random
  | { readonly prefix: Random }
  | { readonly suffix: Random }
  | { readonly files: Random }
  | { readonly garbage: Random }
  | { readonly doubled: Random }

/** `order` numbers the changes of a whole file system. */
export type ContentChange =
  | { readonly order: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly order: number; readonly size: number }

export interface Content {
  live: Uint8Array
  durable: Uint8Array
  changes: ContentChange[]
  /** Some changes will never reach the disk. */
  hasLost?: boolean
}

export interface NameChange {
  readonly order: number
  /** `content` undefined: the name goes away. Both halves of a rename are one change. */
  readonly names: readonly { readonly path: string; readonly content: Content | undefined }[]
}

export interface CrashState {
  readonly directories: readonly string[]
  readonly live: ReadonlyMap<string, Content>
  readonly durable: ReadonlyMap<string, Content>
  readonly changes: readonly NameChange[]
  /** Content of files that are no more. */
  readonly removed: readonly Uint8Array[]
}

/** What becomes of each change. */
interface Rules {
  hasName(change: NameChange): boolean
  content(content: Content): Uint8Array
  readonly isDoubled?: (change: NameChange) => boolean
}

export function imageOf(state: CrashState, policy: CrashPolicy): MemoryFileSystem {
  const rules = rulesOf(state, policy)
  const names = new Map(state.durable)
  for (const change of state.changes) {
    if (!rules.hasName(change)) continue
    const isDoubled = change.names.length > 1 && rules.isDoubled?.(change)
    applyNames(names, isDoubled ? change.names.filter(isPresent) : change.names)
  }
  const image = new MemoryFileSystem()
  for (const directory of state.directories) image.makeDirectory(directory)
  // A file under two names is one file.
  const bytes = new Map<Content, Uint8Array>()
  for (const [path, content] of names) {
    const found = bytes.get(content) ?? rules.content(content)
    bytes.set(content, found)
    const file = image.open(path, 'create')
    file.write(found, 0)
    file.close()
  }
  return image
}

function isPresent({ content }: NameChange['names'][number]): boolean {
  return content !== undefined
}

function rulesOf(state: CrashState, policy: CrashPolicy): Rules {
  if (policy === 'lost') return { hasName: () => false, content: ({ durable }) => durable }
  if (policy === 'kept') return { hasName: () => true, content: ({ live }) => live }
  if (policy === 'data') return { hasName: () => false, content: ({ live }) => live }
  if (policy === 'names') return { hasName: () => true, content: grownContent }
  if ('prefix' in policy) {
    const end = momentOf(state, policy.prefix)
    return {
      hasName: ({ order }) => order < end,
      content: (content) => contentWith(content, ({ order }) => order < end),
    }
  }
  if ('suffix' in policy) {
    const start = momentOf(state, policy.suffix)
    return {
      hasName: ({ order }) => order >= start,
      content: (content) => {
        const { live, durable, changes } = content
        return changes.some(({ order }) => order >= start) ? live : durable
      },
    }
  }
  return subsetRules(state, policy)
}

function subsetRules(
  state: CrashState,
  policy: Random | { files: Random } | { garbage: Random } | { doubled: Random },
): Rules {
  if ('files' in policy) {
    const random = policy.files
    const content = ({ live, durable }: Content): Uint8Array =>
      random.chance(0.5) ? live : durable
    return { hasName: () => random.chance(0.5), content }
  }
  if ('garbage' in policy) {
    const random = policy.garbage
    const content = (one: Content): Uint8Array => tornContent(grown(one), random, state.removed)
    return { hasName: () => random.chance(0.5), content }
  }
  const random = 'doubled' in policy ? policy.doubled : policy
  const isDoubled = 'doubled' in policy ? () => random.chance(0.5) : () => false
  const content = (one: Content): Uint8Array => tornContent(one, random, undefined)
  return { hasName: () => random.chance(0.5), content, isDoubled }
}

/** Some moment between the oldest and the newest change that is not durable. */
function momentOf({ changes, live }: CrashState, random: Random): number {
  const orders = changes.map(({ order }) => order)
  for (const content of live.values()) {
    for (const { order } of content.changes) orders.push(order)
  }
  return orders.length === 0 ? 0 : random.pick(orders) + random.int(2)
}

export function applyNames(names: Map<string, Content>, changes: NameChange['names']): void {
  for (const { path, content } of changes) {
    if (content === undefined) names.delete(path)
    else names.set(path, content)
  }
}

export function applyContent(bytes: Uint8Array, change: ContentChange): Uint8Array {
  const size = 'size' in change ? change.size : change.position + change.bytes.length
  const result = new Uint8Array('size' in change ? size : Math.max(size, bytes.length))
  result.set(bytes.subarray(0, result.length))
  if (!('size' in change)) result.set(change.bytes, change.position)
  return result
}

/** Content as it was synced, with zeros where it had grown. */
function grownContent({ live, durable }: Content): Uint8Array {
  return applyContent(durable, { order: 0, size: live.length })
}

function contentWith(
  { durable, changes }: Content,
  isKept: (change: ContentChange) => boolean,
): Uint8Array {
  return changes.filter(isKept).reduce(applyContent, durable)
}

/** A change of size is as durable as any: of a file that grew it may have come before the bytes. */
function grown(content: Content): Content {
  const { live, durable, changes } = content
  if (live.length <= durable.length) return content
  return { ...content, changes: [{ order: -1, size: live.length }, ...changes] }
}

/** `others`: what sectors may hold that did not arrive in a file that has grown. */
function tornContent(
  content: Content,
  random: Random,
  others: readonly Uint8Array[] | undefined,
): Uint8Array {
  let bytes = content.durable
  const written = bytes.length
  for (const change of content.changes) {
    if ('size' in change) {
      if (change.order < 0 || random.chance(0.5)) bytes = applyContent(bytes, change)
    } else bytes = tornWrite(bytes, written, change, random, others)
  }
  return bytes
}

/** Each sector of a write arrives, does not, or turns to garbage where there was nothing before. */
function tornWrite(
  before: Uint8Array,
  written: number,
  { position, bytes: source }: { readonly position: number; readonly bytes: Uint8Array },
  random: Random,
  others: readonly Uint8Array[] | undefined,
): Uint8Array {
  let bytes = before
  const end = position + source.length
  for (let at = position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
    const isNew = at >= (others === undefined ? before.length : written)
    if (random.chance(0.5)) {
      const arrived = source.subarray(at - position, next - position)
      bytes = applyContent(bytes, { order: 0, position: at, bytes: arrived })
    } else if (isNew && random.chance(others === undefined ? 0.3 : 0.8)) {
      const garbage = garbageAt(at, next, random, others ?? [])
      bytes = applyContent(bytes, { order: 0, position: at, bytes: garbage })
    }
    at = next
  }
  return bytes
}

function garbageAt(
  at: number,
  end: number,
  random: Random,
  others: readonly Uint8Array[],
): Uint8Array {
  const old = others.length > 0 && random.chance(0.7) ? random.pick(others).subarray(at, end) : []
  return old.length > 0 ? Uint8Array.from(old) : random.bytes(end - at)
}
