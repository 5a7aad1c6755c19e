/** A job of either kind, as it crosses to a worker, and the one function that runs it. */
import type { FileSystem } from '../env/file-system.ts'
import { type CompactionJob, runCompaction } from './compaction-job.ts'
import { type FlushJob, runFlush } from './flush-job.ts'
import type { Output } from './table-output.ts'

export type Job = FlushJob | CompactionJob

export function runJob(fs: FileSystem, job: Job): Generator<void, Output, void> {
  return job.type === 'flush' ? runFlush(fs, job) : runCompaction(fs, job)
}
