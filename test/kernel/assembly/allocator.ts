// @ts-nocheck: AssemblyScript, compiled by test/support/codec-kernel.ts.
/** The allocator of assembly/memory.ts by itself. */
export {
  allocate,
  allocatedBytes,
  capacityOf,
  free,
  reallocate,
  setAllocationLimit,
} from '../../../assembly/memory'
