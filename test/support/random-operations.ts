/**
 * Random operations over everything that a `Database` can do. An operation is plain data: a list of them can be repeated,
 * shortened and printed.
 *
 *     const next = operations(seededRandom(seed))
 *     for (let step = 0; step < 10_000; step++) await runner.run(next())
 *
 * Which operations are frequent differs from seed to seed, and some are left out: bugs hide where one thing is rare.
 */

import type { ModelRange } from './database-model.ts'
import { type Form, type Given, keyPool, neighbour, type ValueSpec } from './operation-values.ts'
import type { Random } from './seed.ts'

export type Via = 'promise' | 'awaited' | 'sync'

export interface BatchItem {
  readonly key: string
  /** Undefined for a deletion. */
  readonly value?: ValueSpec
  readonly given: Given
}

export interface RangeSpec extends ModelRange {
  readonly reverse?: boolean
  readonly limit?: number
}

export type Shape = 'entries' | 'keys' | 'values'

/** `snapshot` is a slot: where it is empty the operation reads the present. */
export type Operation =
  | {
      readonly type: 'write'
      readonly via: Via
      readonly item: BatchItem
      readonly sync?: boolean | undefined
    }
  | {
      readonly type: 'batch'
      readonly via: Via | 'chained'
      readonly items: readonly BatchItem[]
      readonly sync?: boolean | undefined
    }
  | {
      readonly type: 'get'
      readonly via: 'promise' | 'sync' | 'entry' | 'has' | 'hasSync' | 'into'
      readonly key: string
      readonly given: Given
      readonly form: Form
      readonly snapshot?: number
    }
  | {
      readonly type: 'getMany'
      readonly via: 'promise' | 'sync'
      readonly keys: readonly string[]
      readonly given: Given
      readonly form: Form
      readonly snapshot?: number
    }
  | {
      readonly type: 'scan'
      readonly via: 'async' | 'sync' | 'all' | 'allSync'
      readonly shape: Shape
      readonly range: RangeSpec
      readonly keyForm: Exclude<Form, 'json'>
      readonly valueForm: Exclude<Form, 'json'>
      /** Written inside the loop, one an entry. */
      readonly inside: readonly BatchItem[]
      readonly snapshot?: number
    }
  | {
      readonly type: 'begin'
      readonly slot: number
      readonly via: 'async' | 'sync'
      readonly range: RangeSpec
      readonly snapshot?: number
    }
  | { readonly type: 'next'; readonly slot: number; readonly count: number }
  | { readonly type: 'seek'; readonly slot: number; readonly key: string }
  | { readonly type: 'end'; readonly slot: number }
  | { readonly type: 'snapshot'; readonly slot: number }
  | { readonly type: 'release'; readonly slot: number }
  | { readonly type: 'refused'; readonly how: Refusal; readonly items: readonly BatchItem[] }
  | { readonly type: 'clear'; readonly range: RangeSpec }
  | { readonly type: 'compact'; readonly range: ModelRange }
  | { readonly type: 'flush' | 'sync' | 'verify' | 'reopen' | 'turn' | 'settle' | 'check' }

/** What a batch is refused for, after some good operations. */
export type Refusal = 'empty key' | 'long key' | 'encoder throws' | 'lone surrogate' | 'bad type'

const REFUSALS: readonly Refusal[] = [
  'empty key',
  'long key',
  'encoder throws',
  'lone surrogate',
  'bad type',
]

/** How many snapshots and iterators are open at most. */
export const SLOTS = 4

/** Usual weights. */
const WEIGHTS: Readonly<Record<string, number>> = {
  write: 300,
  batch: 60,
  get: 260,
  getMany: 30,
  scan: 60,
  begin: 8,
  next: 50,
  seek: 12,
  end: 4,
  snapshot: 6,
  release: 4,
  refused: 5,
  clear: 3,
  turn: 40,
  settle: 6,
  flush: 1.5,
  compact: 0.8,
  sync: 1,
  check: 0.6,
  verify: 0.15,
  reopen: 0.4,
}

/** Never left out, as nothing happens without it. */
const ALWAYS: readonly string[] = ['write', 'turn', 'settle']

export interface OperationOptions {
  /** Value sizes beside the usual small ones: how many of a thousand. */
  readonly medium?: number
  readonly large?: number
  /** Chance that a write names a level of durability. */
  readonly levels?: number
  /** Bytes that are written before anything else, in medium values: with 10 MiB and more, levels below the first fill. */
  readonly preload?: number
  /** How many of the writes are such as well. */
  readonly filling?: number
}

/** Returns a function that makes the next operation; all of them follow from `random`. */
export function operations(random: Random, options: OperationOptions = {}): () => Operation {
  const maker = new OperationMaker(random, options)
  return () => maker.next()
}

class OperationMaker {
  readonly #random: Random
  readonly #options: OperationOptions
  readonly #keys: readonly string[]
  readonly #types: readonly string[]
  readonly #sums: readonly number[]
  readonly #deletes: number
  #tag = 0
  #preload: number

  constructor(random: Random, options: OperationOptions) {
    this.#random = random
    this.#options = options
    this.#preload = options.preload ?? 0
    this.#keys = random.shuffle(keyPool(random, random.pick([20, 100, 300, 1000])))
    this.#deletes = random.pick([0.02, 0.2, 0.2, 0.5])
    this.#types = Object.keys(WEIGHTS)
    let sum = 0
    this.#sums = this.#types.map((type) => {
      const factor = ALWAYS.includes(type) ? 1 : random.pick([0, 0.3, 1, 1, 3])
      sum += WEIGHTS[type]! * factor
      return sum
    })
  }

  next(): Operation {
    if (this.#preload > 0) return this.#fill()
    const at = this.#random.float() * this.#sums.at(-1)!
    return this.#make(this.#types[this.#sums.findIndex((sum) => at < sum)]!)
  }

  /** Something that lies between the other keys and takes room. */
  #fill(): Operation {
    const key = `${this.#random.pick(this.#keys)}\0${this.#random.int(10)}`
    const size = this.#random.int(20_000, 60_000)
    this.#preload -= size
    const item: BatchItem = {
      key,
      given: 'bytes',
      value: { kind: 'random', size, tag: ++this.#tag },
    }
    return { type: 'write', via: 'awaited', item }
  }

  #make(type: string): Operation {
    const random = this.#random
    const slot = random.int(SLOTS)
    switch (type) {
      case 'write':
        if (random.chance(this.#options.filling ?? 0)) return this.#fill()
        return { type, via: this.#via(), item: this.#item(), ...this.#level() }
      case 'batch':
        return {
          type,
          via: random.chance(0.3) ? 'chained' : this.#via(),
          items: Array.from({ length: random.int(random.chance(0.02) ? 300 : 8) }, () =>
            this.#item(),
          ),
          ...this.#level(),
        }
      case 'get':
      case 'getMany':
        return this.#read(type)
      case 'scan':
        return this.#scan()
      case 'begin': {
        const via = random.pick(['async', 'sync'] as const)
        return { type, slot, via, range: this.#range(), ...this.#snapshot() }
      }
      case 'next':
        return { type, slot, count: random.pick([1, 1, 2, 5, 40]) }
      case 'seek':
        return { type, slot, key: neighbour(random, this.#key()) }
      case 'end':
      case 'snapshot':
      case 'release':
        return { type, slot }
      case 'refused': {
        const items = Array.from({ length: random.int(4) }, () => this.#item())
        return { type, how: random.pick(REFUSALS), items }
      }
      case 'clear':
        return { type, range: { ...this.#range(), ...(random.chance(0.9) ? { limit: 20 } : {}) } }
      case 'compact':
        return { type, range: random.chance(0.5) ? {} : this.#bounds() }
      default:
        return { type: type as 'flush' }
    }
  }

  #via(): Via {
    return this.#random.pick(['promise', 'promise', 'awaited', 'sync', 'sync'])
  }

  #level(): { sync?: boolean } {
    const { levels = 0.1 } = this.#options
    return this.#random.chance(levels) ? { sync: this.#random.chance(0.5) } : {}
  }

  #snapshot(): { snapshot?: number } {
    return this.#random.chance(0.3) ? { snapshot: this.#random.int(SLOTS) } : {}
  }

  #given(): Given {
    return this.#random.pick(['bytes', 'buffer', 'text'])
  }

  /** Few keys are frequent, most are rare. */
  #key(): string {
    const random = this.#random
    if (random.chance(0.0005)) return '\x80'.repeat(random.pick([1000, 20_000, 200_000]))
    return this.#keys[Math.floor(random.float() ** 3 * this.#keys.length)]!
  }

  #item(): BatchItem {
    const key = this.#key()
    const given = this.#given()
    if (this.#random.chance(this.#deletes)) return { key, given }
    const kind = this.#random.pick(['text', 'random', 'repeat', 'json'] as const)
    return { key, given, value: { kind, size: this.#size(), tag: ++this.#tag } }
  }

  #size(): number {
    const random = this.#random
    const { medium = 4, large = 2 } = this.#options
    const chance = random.float() * 1000
    if (chance < large / 20) return random.pick([1 << 20, 300_000])
    if (chance < large) return random.pick([65_535, 65_536, 65_537, 70_000, 131_072])
    if (chance < large + medium) return random.int(4000, 60_000)
    if (chance < 50) return random.int(100, 4000)
    return chance < 100 ? 0 : random.int(1, 100)
  }

  #read(type: 'get' | 'getMany'): Operation {
    const random = this.#random
    const common = {
      given: this.#given(),
      form: random.pick(['binary', 'binary', 'buffer', 'utf8', 'json'] as const),
      ...this.#snapshot(),
    }
    if (type === 'getMany') {
      const keys = Array.from({ length: random.int(12) }, () => this.#key())
      return { type, via: random.pick(['promise', 'sync'] as const), keys, ...common }
    }
    const key = random.chance(0.1) ? neighbour(random, this.#key()) : this.#key()
    const via = random.pick(['promise', 'sync', 'sync', 'entry', 'has', 'hasSync', 'into'] as const)
    return { type, via, key: key === '' ? 'k' : key, ...common }
  }

  #scan(): Operation {
    const random = this.#random
    return {
      type: 'scan',
      via: random.pick(['async', 'sync', 'all', 'allSync'] as const),
      shape: random.pick(['entries', 'entries', 'keys', 'values'] as const),
      range: this.#range(),
      keyForm: random.pick(['binary', 'buffer', 'utf8'] as const),
      valueForm: random.pick(['binary', 'buffer', 'utf8'] as const),
      inside: Array.from({ length: random.chance(0.2) ? 5 : 0 }, () => this.#item()),
      ...this.#snapshot(),
    }
  }

  #range(): RangeSpec {
    const random = this.#random
    const limit = random.chance(0.9) ? random.pick([0, 1, 2, 5, 17, 40]) : undefined
    return {
      ...(random.chance(0.2) ? {} : this.#bounds()),
      ...(random.chance(0.5) ? { reverse: true } : {}),
      ...(limit === undefined ? {} : { limit }),
    }
  }

  #bounds(): ModelRange {
    const random = this.#random
    const bound = (): string => neighbour(random, this.#key())
    const lower = random.pick(['gt', 'gte', undefined] as const)
    const upper = random.pick(['lt', 'lte', undefined] as const)
    return {
      ...(lower === undefined ? {} : { [lower]: bound() }),
      ...(upper === undefined ? {} : { [upper]: bound() }),
      ...(random.chance(0.2) ? { prefix: bound() } : {}),
    }
  }
}
