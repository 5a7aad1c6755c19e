import { expect } from 'chai'
import {
  CLOSED_FILE_NAME,
  logFileName,
  manifestFileName,
  markerFileName,
  parseFileName,
  tableFileName,
  temporaryFileName,
  valueFileName,
} from '../../src/version/file-names.ts'

const NUMBERS = [1, 42, 999_999, 1_000_000, 2 ** 40, Number.MAX_SAFE_INTEGER]

describe('version/file-names', () => {
  it('writes names with at least six digits [MAN-1]', () => {
    expect(logFileName(7)).to.equal('000007.log')
    expect(valueFileName(7)).to.equal('000007.val')
    expect(tableFileName(1_234_567)).to.equal('1234567.sst')
    expect(temporaryFileName(12)).to.equal('000012.tmp')
    expect(manifestFileName(3)).to.equal('MANIFEST-000003')
    expect(markerFileName(2, 3)).to.equal('CURRENT-000002-000003')
  })

  it('reads back every name that it writes [MAN-1]', () => {
    for (const number of NUMBERS) {
      const named = (name: string, type: string): void => {
        expect(parseFileName(name)).to.deep.equal({ type, number })
      }
      named(logFileName(number), 'log')
      named(valueFileName(number), 'values')
      named(tableFileName(number), 'table')
      named(temporaryFileName(number), 'temporary')
      named(manifestFileName(number), 'manifest')
      const marker = { type: 'marker', epoch: 5, number }
      expect(parseFileName(markerFileName(5, number))).to.deep.equal(marker)
      expect(parseFileName(markerFileName(number, 5))).to.deep.equal({
        type: 'marker',
        epoch: number,
        number: 5,
      })
    }
    expect(parseFileName(CLOSED_FILE_NAME)).to.deep.equal({ type: 'closed' })
    expect(parseFileName('LOCK-abc')).to.deep.equal({ type: 'lock' })
  })

  it('does not know any other name: H4 [MAN-1]', () => {
    const names = [
      ...['', '.', '..', '.DS_Store', '._000001.sst', 'lost+found', 'CURRENT', 'MANIFEST', 'LOCK'],
      ...['000000.sst', '00001.sst', '0000001.sst', '000001.SST', '000001.sst ', ' 000001.sst'],
      ...[
        '000001.sst~',
        '000001',
        '.sst',
        '+00001.sst',
        '-00001.sst',
        '1e0005.sst',
        '000001.sst\n',
      ],
      ...['9007199254740992.sst', '99999999999999999.log', '٠٠٠٠٠١.log', '../000001.log'],
      ...['MANIFEST-1', 'MANIFEST-0000001', 'MANIFEST-000000', 'manifest-000001'],
      ...[
        'CURRENT-000001',
        'CURRENT-1000000',
        'log',
        'CURRENT-000001-',
        'CURRENT-000001-000000',
        'CURRENT-1-000001',
      ],
      ...['CURRENT-000001-000001-000001', 'CLOSED.tmp', 'closed'],
    ]
    for (const name of names) expect(parseFileName(name), JSON.stringify(name)).to.equal(undefined)
  })
})
