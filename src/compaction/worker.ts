/**
 * The background worker's entry: runs flushes and compactions for every store of the process. What the pool hands over
 * at the start is the kernel that the main thread has compiled.
 */
import { NodeFileSystem } from '../env/node-file-system.ts'
import { serveJobs } from '../env/worker-host.ts'
import { adoptKernelModule } from '../kernel/kernel.ts'
import { kernelHash64 } from '../kernel/kernel-checksum.ts'
import { lendChecksums } from '../util/checksum.ts'
import { type Job, runJob } from './run-job.ts'
import type { WorkerSetup } from './worker-setup.ts'

const fs = new NodeFileSystem()
lendChecksums(kernelHash64)
serveJobs((job, context) => {
  adoptKernelModule((context.setup as WorkerSetup).kernel)
  return runJob(fs, job as Job)
})
