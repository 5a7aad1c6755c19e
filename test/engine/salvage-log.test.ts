import { expect } from 'chai'
import { SalvageLog } from '../../src/engine/salvage-log.ts'
import { corruption } from '../../src/errors.ts'

describe('engine/salvage-log', () => {
  it('keeps problems, and losses with neighbours as one [REP-6]', () => {
    const log = new SalvageLog()
    log.problem(corruption('a.sst', 0, 'damage'))
    log.lost(corruption('a.sst', 100, 'lost'), 50)
    log.lost(corruption('a.sst', 150, 'lost'), 10)
    log.lost(corruption('a.sst', 170, 'lost'), 10)
    log.lost(corruption('b.sst', 180, 'lost'), 10)
    log.lost(corruption('c.sst', undefined, 'missing'), undefined)
    log.lost(corruption('d.val', 999, 'damage'), 200, 800)
    expect(log.problems).to.have.length(7)
    expect(log.losses).to.deep.equal([
      { file: 'a.sst', offset: 100, bytes: 60 },
      { file: 'a.sst', offset: 170, bytes: 10 },
      { file: 'b.sst', offset: 180, bytes: 10 },
      { file: 'c.sst', offset: 0, bytes: undefined },
      { file: 'd.val', offset: 800, bytes: 200 },
    ])
  })
})
