import { expect } from 'chai'
import { DELETE } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { decodeHeader, encodeSegment } from '../reference/log-segment.ts'
import {
  bytesOf,
  contentOfFiles,
  crashedStore,
  expectRefused,
  replaced,
  sameFiles,
} from '../support/crashed-store.ts'

const LOG = '000002.log'

describe('engine/recovery: logs of the future', () => {
  it('refuses an unknown version or kind of entry and changes nothing [REC-9, LOG-5]', async () => {
    const crashed = await crashedStore((store) => store.put('a', '1'))
    const header = decodeHeader(bytesOf(crashed.files, LOG))
    const record = { key: join([97]), sequence: 1, timestamp: 0, value: join([98]) }
    for (const kind of [4, 5, 6]) {
      const frame = { records: [{ ...record, kind }], synced: undefined, valueBytes: 0 }
      const bytes = encodeSegment(header, [frame])
      await expectRefused(replaced(crashed.files, LOG, bytes), 'FORMAT')
    }
    const known = { records: [{ ...record, kind: DELETE, value: join() }] }
    const frame = { ...known, synced: undefined, valueBytes: 0 }
    const files = replaced(crashed.files, LOG, encodeSegment(header, [frame]))
    expect(sameFiles(files, crashed.files)).to.equal(false)
    expect(await contentOfFiles(files)).to.deep.equal(new Map())
  })
})
