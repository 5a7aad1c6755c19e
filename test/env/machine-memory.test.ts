import { expect } from 'chai'
import { containerLimits, machineMemory, smallestLimit } from '../../src/env/machine-memory.ts'

function limitsOf(files: Record<string, string>): (number | undefined)[] {
  return containerLimits((path) => (Object.hasOwn(files, path) ? files[path] : undefined))
}

describe('env/machine-memory', () => {
  it('knows this machine [ENV-16]', () => {
    expect(machineMemory()).to.be.within(2 ** 20, Number.MAX_SAFE_INTEGER)
  })

  it('takes the smallest real limit [ENV-16]', () => {
    expect(smallestLimit([undefined, 0, 2 ** 63, 500, 700])).to.equal(500)
    expect(smallestLimit([undefined, 0, 2 ** 53, -1, Number.NaN])).to.equal(undefined)
    expect(smallestLimit([])).to.equal(undefined)
  })

  it('reads control groups of version 2, with their parents [ENV-16]', () => {
    const limits = limitsOf({
      '/proc/self/cgroup': '0::/system/app\n',
      '/sys/fs/cgroup/system/app/memory.max': 'max\n',
      '/sys/fs/cgroup/system/memory.max': '4096\n',
      '/sys/fs/cgroup/memory.max': '9000\n',
    })
    expect(smallestLimit(limits)).to.equal(4096)
  })

  it('goes up from the group that it sees, and takes no name for a step outside [ENV-16]', () => {
    const limits = limitsOf({
      '/proc/self/cgroup': '0::/../../a/..b\n',
      '/sys/fs/cgroup/a/..b/memory.max': '7000\n',
      '/sys/fs/cgroup/a/memory.max': '5000\n',
    })
    expect(smallestLimit(limits)).to.equal(5000)
    expect(limits).to.include(7000)
  })

  it('reads control groups of version 1 [ENV-16]', () => {
    const limits = limitsOf({
      '/proc/self/cgroup': '3:cpu,cpuacct:/x\n2:memory:/docker/1\n1:name=systemd:/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '12345\n',
      '/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': '1\n',
    })
    expect(smallestLimit(limits)).to.equal(12345)
  })

  it('makes nothing of texts that it does not understand [ENV-16]', () => {
    expect(limitsOf({})).to.deep.equal([])
    expect(limitsOf({ '/proc/self/cgroup': 'nonsense\n::\n0:x\n' })).to.deep.equal([])
    const limits = limitsOf({
      '/proc/self/cgroup': '0::/../..',
      '/sys/fs/cgroup/memory.max': '12 apples',
    })
    expect(smallestLimit(limits)).to.equal(undefined)
  })
})
