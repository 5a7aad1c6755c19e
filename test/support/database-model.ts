/**
 * What a store must hold: every key with its versions, in order. The twin of a `Database` in the property tests.
 *
 * Keys are strings of one character a byte (latin1): their order as strings is the order of the bytes, unsigned, and a
 * `Map` can hold them. Versions are kept as long as some pinned sequence, or the present, can see them.
 */

/** One version of a key. No value: the key was deleted. */
export interface ModelVersion {
  readonly sequence: number
  readonly timestamp: number
  readonly value: Buffer | undefined
}

/** A version that has a value. */
export interface ModelEntry extends ModelVersion {
  readonly key: string
  readonly value: Buffer
}

/** Bounds as `RangeBounds` has them, of model keys. */
export interface ModelRange {
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
  readonly prefix?: string
}

/** Versions of a key beyond which those that nobody sees are dropped. */
const VERSIONS_MAX = 6

export class DatabaseModel {
  /** The last sequence given out. */
  sequence = 0
  readonly #versions = new Map<string, ModelVersion[]>()
  /** The keys of `#versions`, ascending. */
  readonly #sorted: string[] = []
  readonly #pins = new Map<number, number>()

  /** Puts, or deletes where `value` is undefined, and gives it the next sequence. */
  write(key: string, value: Buffer | undefined, timestamp: number): void {
    const version = { sequence: ++this.sequence, timestamp, value }
    const versions = this.#versions.get(key)
    if (versions === undefined) {
      this.#versions.set(key, [version])
      this.#sorted.splice(
        this.#firstIndex(this.#sorted.length, (one) => one > key),
        0,
        key,
      )
      return
    }
    versions.push(version)
    if (versions.length > VERSIONS_MAX) this.#versions.set(key, this.#needed(versions))
  }

  /** Keeps what `sequence` sees until `unpin`. Requires: it is the present, or pinned already. */
  pin(sequence: number): number {
    this.#pins.set(sequence, (this.#pins.get(sequence) ?? 0) + 1)
    return sequence
  }

  unpin(sequence: number): void {
    const count = this.#pins.get(sequence) ?? 0
    if (count > 1) this.#pins.set(sequence, count - 1)
    else this.#pins.delete(sequence)
  }

  /** The entry that `sequence` sees. */
  find(key: string, sequence: number = this.sequence): ModelEntry | undefined {
    const versions = this.#versions.get(key)
    const version = versions?.findLast((one) => one.sequence <= sequence)
    return version?.value === undefined ? undefined : { ...version, key, value: version.value }
  }

  /**
   * The entries of a range that `sequence` sees, in the order asked for, at most `limit`. From `start` on, if that is given,
   * in the direction of the scan, itself included.
   */
  scan(
    range: ModelRange,
    options: { reverse?: boolean; limit?: number; sequence?: number; start?: string } = {},
  ): ModelEntry[] {
    const { reverse = false, limit = Number.POSITIVE_INFINITY, sequence, start } = options
    const count = this.#sorted.length
    let from = this.#firstIndex(count, (key) => !isBefore(key, range))
    let to = this.#firstIndex(count, (key) => isBehind(key, range))
    if (start !== undefined && reverse) {
      to = Math.min(
        to,
        this.#firstIndex(count, (key) => key > start),
      )
    } else if (start !== undefined) {
      from = Math.max(
        from,
        this.#firstIndex(count, (key) => key >= start),
      )
    }
    const entries: ModelEntry[] = []
    const step = reverse ? -1 : 1
    for (let at = reverse ? to - 1 : from; at >= from && at < to; at += step) {
      if (entries.length >= limit) break
      const entry = this.find(this.#sorted[at]!, sequence)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }

  /** A key that was written once, by its place among all of them; undefined when there is none. */
  keyAt(fraction: number): string | undefined {
    return this.#sorted[Math.floor(fraction * this.#sorted.length)]
  }

  /** The first index below `end` whose key fulfils `test`, which all behind it fulfil too. */
  #firstIndex(end: number, test: (key: string) => boolean): number {
    let low = 0
    let high = end
    while (low < high) {
      const middle = (low + high) >> 1
      if (test(this.#sorted[middle]!)) high = middle
      else low = middle + 1
    }
    return low
  }

  #needed(versions: readonly ModelVersion[]): ModelVersion[] {
    const kept = new Set([versions.at(-1)!])
    for (const pin of this.#pins.keys()) {
      const seen = versions.findLast(({ sequence }) => sequence <= pin)
      if (seen !== undefined) kept.add(seen)
    }
    return versions.filter((version) => kept.has(version))
  }
}

function isBefore(key: string, { gt, gte, prefix }: ModelRange): boolean {
  if (gt !== undefined && key <= gt) return true
  if (gte !== undefined && key < gte) return true
  return prefix !== undefined && key < prefix
}

function isBehind(key: string, { lt, lte, prefix }: ModelRange): boolean {
  if (lt !== undefined && key >= lt) return true
  if (lte !== undefined && key > lte) return true
  return prefix !== undefined && key > prefix && !key.startsWith(prefix)
}
