/**
 * What the two sides of the background worker say to each other [ENV-18 … ENV-25].
 *
 *     pool ─► { kind: 'run', id, priority, job } | { kind: 'cancel', id }  ─► worker
 *     pool ◄─ { kind: 'ready' } | { kind: 'done', id, … } | { kind: 'ended' } ◄─ worker
 *
 * They go over a `MessagePort`. Beside it lies a signal of shared integers, the only memory that the threads share:
 * the worker counts its messages in it and wakes a thread that waits there.
 */
import type { MessagePort } from 'node:worker_threads'
import type { ErrorRecord } from './error-transfer.ts'

/** Jobs of a higher priority run to their end before any of a lower one takes another step. */
export type JobPriority = 'high' | 'middle' | 'low'

export type ToWorker =
  | {
      readonly kind: 'run'
      readonly id: number
      readonly priority: JobPriority
      readonly job: unknown
    }
  | { readonly kind: 'cancel'; readonly id: number }

export type JobOutcome =
  | { readonly kind: 'done'; readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly kind: 'done'
      readonly id: number
      readonly ok: false
      readonly reason: 'failed' | 'cancelled'
      readonly error: ErrorRecord
    }

/** `ended`: the thread is about to end, and no job will be heard of again. */
export type FromWorker = { readonly kind: 'ready' } | JobOutcome | { readonly kind: 'ended' }

/** The `workerData` of the worker. */
export interface WorkerStart {
  readonly port: MessagePort
  readonly signal: SharedArrayBuffer
  /** What the configuration gave, for the jobs. */
  readonly setup: unknown
}

/** Indexes of the signal's 32-bit integers. They wrap around. */
export const SIGNAL_MESSAGES = 0
/** Steps of jobs: as long as it changes the worker is at work. */
export const SIGNAL_STEPS = 1
export const SIGNAL_BYTES = 8
