/**
 * What the process that is killed writes: step n is always the same, so that whoever finds the store afterwards can say
 * what the first n steps leave behind.
 *
 *   n % 8 = 7   a batch: 24 keys `group/<n>/<i>`, the 24 keys of the group before deleted, `latest` = n
 *   other n     a put of `note/<n % 2048>`, long every 256th time, else up to 400 characters
 *
 * Every value begins with its n, so that the store tells how far the writer had come.
 */
import type { BatchOperation } from '../src/index.ts'

export type Operation = BatchOperation<string, string>

/** Options of the store that is written to: small, so that tables are written and merged while it is killed. */
export const CRASH_OPTIONS: { readonly memtableSize: number } = { memtableSize: 2 * 1024 * 1024 }

export const KEYS_PER_GROUP = 24

const STEPS_PER_GROUP = 8
const NOTES = 2048
const LONG_NOTE_STEPS = 256
/** More than is kept in the log itself. */
const LONG_NOTE_CHARACTERS = 100_000

/** What the writer sends to its parent. */
export interface Acknowledgement {
  /** The steps whose writes were acknowledged. */
  readonly steps: readonly number[]
}

export function isBatch(step: number): boolean {
  return step % STEPS_PER_GROUP === STEPS_PER_GROUP - 1
}

/** The writes of a step. All of a batch, or the one of a put. */
export function operationsOf(step: number): Operation[] {
  if (!isBatch(step)) {
    return [{ type: 'put', key: `note/${digits(step % NOTES)}`, value: noteOf(step) }]
  }
  const operations: Operation[] = []
  for (let index = 0; index < KEYS_PER_GROUP; index++) {
    operations.push({ type: 'put', key: groupKey(step, index), value: `${step} ${index}` })
    if (step >= STEPS_PER_GROUP) {
      operations.push({ type: 'delete', key: groupKey(step - STEPS_PER_GROUP, index) })
    }
  }
  operations.push({ type: 'put', key: 'latest', value: `${step}` })
  return operations
}

/** Brings a model from what the first `from` steps leave behind to what the first `to` steps do. */
export function replay(model: Map<string, string>, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    for (const operation of operationsOf(step)) {
      if (operation.type === 'put') model.set(operation.key, operation.value)
      else model.delete(operation.key)
    }
  }
}

/** The step that a value comes from. */
export function stepOf(value: string): number {
  return Number.parseInt(value, 10)
}

function groupKey(step: number, index: number): string {
  return `group/${digits(step)}/${digits(index)}`
}

function noteOf(step: number): string {
  const isLong = step % LONG_NOTE_STEPS === 0
  const length = isLong ? LONG_NOTE_CHARACTERS : 20 + (Math.imul(step, 0x9e3779b1) >>> 24) * 1.5
  return `${step} `.padEnd(length, `${(step * 7919) % 104729} `)
}

function digits(value: number): string {
  return String(value).padStart(8, '0')
}
