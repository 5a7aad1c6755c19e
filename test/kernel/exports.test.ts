import { expect } from 'chai'
import { Result, Status } from '../../src/kernel/exports.ts'
import { EntryKind, FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../src/kernel/memtable.ts'
import { Codec, TABLE_HEADER_BYTES } from '../../src/kernel/table-job.ts'
import { kernelBinary } from '../support/kernel.ts'
import { projectText } from '../support/project.ts'

/** The numbers that a file of assembly/ exports, by their names. */
function constantsOf(file: string): Record<string, number> {
  const found = projectText('assembly', file).matchAll(/^export const (\w+): [iu]32 = (\d+)$/gm)
  return Object.fromEntries([...found].map(([, name, value]) => [name!, Number(value)]))
}

/** The names of `KernelExports`, in their order. */
function declared(): string[] {
  const text = projectText('src/kernel/exports.ts')
  const body = /export interface KernelExports \{\n([\s\S]*?)\n\}/.exec(text)?.[1] ?? ''
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map(([, name]) => name!)
}

/** The names in the first column of the table of exports. */
function documented(): string[] {
  const table = projectText('docs/kernel.md').split('\n## Exports\n')[1] ?? ''
  return [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!)
}

describe('kernel/exports', () => {
  it('declares what the module exports, as the page does [KRN-16]', () => {
    for (const target of ['release', 'checked'] as const) {
      const module = new WebAssembly.Module(kernelBinary(target))
      const exported = WebAssembly.Module.exports(module).map(({ name }) => name)
      expect([...declared()].sort()).to.deep.equal(exported.sort())
    }
    const sorted = (names: string[]): string[] => names.sort()
    expect(sorted(documented())).to.deep.equal(sorted(declared()))
  })

  it('lists exports in one order with the page [KRN-16]', () => {
    const order = documented().filter((name) => name !== 'memory' && name !== 'ABI_VERSION')
    const wanted = declared().filter((name) => name !== 'memory' && name !== 'ABI_VERSION')
    expect(order).to.deep.equal(wanted)
  })

  it('has the numbers of assembly/abi.ts [KRN-16]', () => {
    const abi = constantsOf('abi.ts')
    for (const [name, code] of Object.entries(Status)) expect(abi[name], name).to.equal(code)
    for (const [name, word] of Object.entries(Result)) {
      expect(abi[`RESULT_${name}`], name).to.equal(word)
    }
    for (const [name, kind] of Object.entries(EntryKind)) {
      expect(abi[`KIND_${name}`], name).to.equal(kind)
    }
    for (const [name, codec] of Object.entries(Codec)) {
      expect(abi[`CODEC_${name}`], name).to.equal(codec)
    }
    const codes = Object.values(Status)
    const statuses = Object.entries(abi).filter(([name]) => name in Status)
    expect(statuses.map(([, code]) => code)).to.deep.equal(codes)
    const sizes = { ...constantsOf('memtable-state.ts'), ...constantsOf('table-builder.ts') }
    expect(sizes['SEGMENT_HEADER']).to.equal(SEGMENT_HEADER_BYTES)
    expect(sizes['FRAME_HEADER']).to.equal(FRAME_HEADER_BYTES)
    expect(sizes['TABLE_HEADER']).to.equal(TABLE_HEADER_BYTES)
  })

  it('has the status codes of the page [KRN-16]', () => {
    const page = projectText('docs/kernel.md')
    const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)]
    const codes = rows.map(([, code, name]) => [name!, Number(code)])
    expect(Object.fromEntries(codes)).to.deep.equal(Status)
  })
})
