import { expect } from 'chai'
import { Report } from '../../demo/report.ts'
import { Terminal } from '../../demo/terminal.ts'

const ESCAPE = '\x1b'

/** Something to write to, and what was written. */
function recorder(isTTY: boolean, columns = 60) {
  const written: string[] = []
  return { isTTY, columns, written, write: (text: string) => written.push(text) }
}

describe('demo/terminal', () => {
  it('uses colours on a terminal, and none where NO_COLOR, a pipe or a dumb terminal says so', () => {
    const styled = (isTTY: boolean, env: Record<string, string>): string => {
      return new Terminal(recorder(isTTY), env).style('green', 'x')
    }
    expect(styled(true, {})).to.equal('\x1b[32mx\x1b[39m')
    expect(styled(true, { NO_COLOR: '' })).to.equal('\x1b[32mx\x1b[39m')
    expect(styled(true, { NO_COLOR: '1' })).to.equal('x')
    expect(styled(true, { TERM: 'dumb' })).to.equal('x')
    expect(styled(false, {})).to.equal('x')
  })

  it('draws a bar on a terminal and takes it away before the next line', () => {
    const output = recorder(true)
    const progress = new Terminal(output, {}).progress('loading', 10)
    progress.update(5)
    progress.finish()
    expect(output.written[0]).to.match(/^\r.*loading .*━.* 50\.0 % · 5$/)
    expect(output.written.at(-1)).to.equal(`\r${ESCAPE}[2K`)
  })

  it('writes a line for every quarter where there is no terminal', () => {
    const output = recorder(false)
    const progress = new Terminal(output, {}).progress('loading', 8)
    for (let done = 1; done <= 8; done++) progress.update(done)
    progress.finish()
    expect(output.written).to.have.length(4)
    expect(output.written.join('')).to.match(/ {2}loading: 25\.0 % \(2\) after .*\n/)
    expect(output.written.join('')).to.not.include(ESCAPE)
  })

  it('breaks long sentences and keeps one empty line where there are several', () => {
    const output = recorder(false, 44)
    const terminal = new Terminal(output, {})
    terminal.line()
    terminal.line()
    terminal.say('a sentence that is too long for one line of forty', '✓ ')
    expect(output.written).to.deep.equal([
      ...['\n', '  ✓ a sentence that is too long for one\n', '    line of forty\n'],
    ])
  })
})

describe('demo/report', () => {
  it('counts checks, and does not pass when one fails or when there are none', async () => {
    const output = recorder(false)
    const report = new Report(new Terminal(output, {}))
    expect(report.conclude()).to.equal(false)
    await report.section('One', async () => report.check('This holds.', true))
    expect(report.conclude()).to.equal(true)
    expect(report.verdict()).to.equal('All 1 check passed.')
    await report.section('Two', async () => report.check('So does this.', false, 'nothing'))
    expect(report.conclude()).to.equal(false)
    expect(report.verdict()).to.equal('1 of 2 checks failed.')
    const text = output.written.join('')
    expect(text).to.include('✓ This holds.').and.to.include('✗ So does this. Found: nothing')
    expect(text).to.include('✗ failed: So does this.')
  })
})
