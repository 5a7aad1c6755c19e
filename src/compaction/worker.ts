/**
 * The background worker's entry: runs flushes and compactions for every store of the process. What the pool hands over
 * at the start is the kernel that the main thread has compiled.
 */
import { NodeFileSystem } from '../env/node-file-system.ts'
import { serveJobs } from '../env/worker-host.ts'
import { adoptKernelModule } from '../kernel/kernel.ts'
import { loadChecksums } from '../util/checksum.ts'
import { type Job, runJob } from './run-job.ts'
import type { WorkerSetup } from './worker-setup.ts'

async function main(): Promise<void> {
  await loadChecksums()
  const fs = new NodeFileSystem()
  serveJobs((job, context) => {
    adoptKernelModule((context.setup as WorkerSetup).kernel)
    return runJob(fs, job as Job)
  })
}

void main()
