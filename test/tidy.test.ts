/**
 * The rules of docs/style.md and docs/architecture.md that a machine can check. Each check is a pure function of files;
 * beside the test that the project passes it stands a test that it sees what it is there to see.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { expect } from 'chai'
import { projectPath, projectRoot, projectText } from './support/project.ts'
import { bannedProblems } from './support/tidy/banned.ts'
import { clauseProblems, titleProblems } from './support/tidy/clauses.ts'
import {
  defaultExportProblems,
  FILE_LINES_MAX,
  fileLengthProblems,
  focusProblems,
  KERNEL_FUNCTION_LINES_MAX,
  kernelFunctionProblems,
  LINE_COLUMNS_MAX,
  leftoverProblems,
  lineLengthProblems,
  machinePathProblems,
  mirrorProblems,
  trackedProblems,
  UNMIRRORED,
} from './support/tidy/file-rules.ts'
import { layerProblems, parseLayers } from './support/tidy/layers.ts'
import {
  codeOnly,
  importsOf,
  type SourceFile,
  withoutComments,
} from './support/tidy/source-text.ts'

/** The one runtime dependency, and the one file that may import it. */
const PACKAGES = { 'xxhash-wasm': 'src/util/checksum.ts' }

function isFile(path: string): boolean {
  return statSync(projectPath(path), { throwIfNoEntry: false })?.isFile() === true
}

/** Everything that is in the repository, or would be after `git add`. */
function projectFiles(): SourceFile[] {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  return execFileSync('git', list, { cwd: projectRoot(), encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '' && isFile(path))
    .map((path) => ({ path, text: projectText(path) }))
}

describe('tidy', () => {
  const files = projectFiles()
  const below = (folder: string) => files.filter(({ path }) => path.startsWith(folder))
  const typescript = (folder: string) => below(folder).filter(({ path }) => path.endsWith('.ts'))
  const sources = typescript('src/')
  const assembly = typescript('assembly/')
  const tests = typescript('test/')
  const code = files.filter(({ path }) => /\.(?:ts|mjs|cjs)$/.test(path))
  const pages = files.filter(({ path }) => path.endsWith('.md'))
  const docs = pages.filter(({ path }) => path.startsWith('docs/'))
  /** Samples of bad files are no part of the project's own clauses. */
  const proofs = tests.filter(({ path }) => !/^test\/(?:tidy\.test|support\/tidy\/)/.test(path))

  const file = (path: string, ...lines: string[]): SourceFile => ({ path, text: lines.join('\n') })

  function expectNone(problems: readonly string[]): void {
    expect(problems.length, `\n${problems.join('\n')}\n`).to.equal(0)
  }

  describe('layers', () => {
    const layers = parseLayers(projectText('docs/architecture.md'))

    it('import only downwards, and packages only in their one place', () => {
      expect(layers.size).to.be.greaterThan(10)
      expectNone(layerProblems([...sources, ...assembly], layers, PACKAGES))
    })

    it('are read from a table of rows', () => {
      const table =
        '| row | folders |\n| --- | --- |\n| 3 | `index.ts`, `tool/` | x `y/` |\n| 1 | `util/` |'
      const rows = { 'index.ts': 3, tool: 3, util: 1 }
      expect(Object.fromEntries(parseLayers(table))).to.deep.equal(rows)
    })

    it('complain about imports upwards, sideways, of packages and from nowhere', () => {
      const problems = layerProblems(
        [
          file('src/log/a.ts', "import { x } from '../table/x.ts'", "import '../engine/y.ts'"),
          file('src/log/b.ts', "import type { Y } from '../util/y.ts'", "export * from './z.ts'"),
          file('src/table/c.ts', "import z from 'left-pad'", "await import('../log/a.ts')"),
          file('src/tables/d.ts'),
        ],
        new Map(Object.entries({ engine: 8, log: 5, table: 5, util: 1 })),
        PACKAGES,
      )
      expect(problems).to.deep.equal([
        'src/log/a.ts:1: log (row 5) imports table (row 5): imports look down only',
        'src/log/a.ts:2: log (row 5) imports engine (row 8): imports look down only',
        'src/table/c.ts:1: imports the package left-pad',
        'src/table/c.ts:2: table (row 5) imports log (row 5): imports look down only',
        'src/tables/d.ts:1: tables has no row in the layer table',
      ])
    })
  })

  describe('names that belong to one folder', () => {
    it('stay there, and what makes code or objects of bytes is nowhere: H8', () => {
      expectNone(bannedProblems(sources))
    })

    it('are seen elsewhere, but not in comments, strings, or as properties', () => {
      const bad = file(
        'src/engine/a.ts',
        "import { readFileSync } from 'node:fs'",
        'const now = Date.now() + Math.random()',
        'const memory = new WebAssembly.Memory({ initial: 1 })',
        'const state = await load()',
        '// Date.now() stands in a comment',
        "const level = { process: 'new Worker()', setTimeout: options.setTimeout }",
      )
      const lines = bannedProblems([bad]).map((problem) => problem.split(':')[1])
      expect(lines.sort()).to.deep.equal(['1', '2', '2', '3', '4'])
      expectNone(
        bannedProblems([{ path: 'src/env/clock.ts', text: 'export const t = Date.now()' }]),
      )
    })
  })

  describe('clauses', () => {
    it('are each defined once and proven by a test, and what is cited exists', () => {
      expectNone(clauseProblems(docs, proofs, [...sources, ...assembly]))
    })

    it('are missed when unproven, doubled or unknown', () => {
      const problems = clauseProblems(
        [file('docs/a.md', '**LOG-1.** One.', '**LOG-2.** Two.', '', '**LOG-1.** Again.')],
        [file('test/a.test.ts', '// [LOG-2]', "it('does one thing [LOG-1, LOG-7]')")],
        [file('src/a.ts', '/** Does [MAN-3]. */')],
      )
      expect(problems).to.deep.equal([
        'docs/a.md:4: LOG-1 is defined a second time',
        'docs/a.md:2: LOG-2 is cited by no test',
        'test/a.test.ts:2: LOG-7 is cited but stands in no page',
        'src/a.ts:1: MAN-3 is cited but stands in no page',
      ])
    })

    it('stand on pages with one title', () => {
      expectNone(titleProblems(pages))
      const page = file('docs/a.md', 'Hello', '# Title', '```sh', '# comment', '```', '# Title')
      const problems = ['docs/a.md:1: does not begin with a title', 'docs/a.md:6: a second title']
      expect(titleProblems([page])).to.deep.equal(problems)
    })
  })

  describe('files', () => {
    it(`have at most ${FILE_LINES_MAX} lines`, () => {
      expectNone(fileLengthProblems(code))
      const long = file('src/a.ts', ...Array.from({ length: FILE_LINES_MAX + 1 }, () => 'x'))
      expect(fileLengthProblems([long])).to.have.length(1)
    })

    it(`have at most ${LINE_COLUMNS_MAX} columns of code, comments and titles of tests aside`, () => {
      expectNone(lineLengthProblems(code))
      const x = 'x'.repeat(LINE_COLUMNS_MAX)
      const bad = file('src/a.ts', `a = 1 // ${x}`, `const a = ${x}`, `  it('${x}', () => {`)
      expect(lineLengthProblems([bad])).to.deep.equal(['src/a.ts:2: 110 columns of code'])
    })

    it(`have at most ${KERNEL_FUNCTION_LINES_MAX} lines in a function of the kernel`, () => {
      expectNone(kernelFunctionProblems(assembly))
      const body = Array.from({ length: KERNEL_FUNCTION_LINES_MAX }, () => '  x()')
      const bad = file('assembly/a.ts', 'export function a(): void {', ...body, '}')
      expect(kernelFunctionProblems([bad])).to.have.length(1)
    })

    it('have no marks of unfinished work', () => {
      expectNone(leftoverProblems(files))
      const mark = ['FIX', 'ME'].join('')
      expect(leftoverProblems([file('src/a.ts', `// ${mark}: later`)])).to.have.length(1)
    })

    it('have no default exports', () => {
      expectNone(defaultExportProblems(code))
      const bad = file('src/a.ts', 'export default 1', "// export default, 'export default'")
      expect(defaultExportProblems([bad])).to.deep.equal(['src/a.ts:1: a default export'])
    })

    it('name no folder of one machine', () => {
      expectNone(machinePathProblems(files))
      const path = ['', 'home', 'someone'].join('/')
      const bad = file('docs/a.md', `see ${path}/notes`, `and .${path}, {top}${path}`)
      expect(machinePathProblems([bad])).to.deep.equal(['docs/a.md:1: a path of one machine'])
    })

    it('in the repository are neither generated nor binary nor big', () => {
      expectNone(trackedProblems(files))
      const bad = [file('build/kernel.wasm'), file('test/a.bin', '\0'), file('test/golden/a', '\0')]
      expect(trackedProblems(bad)).to.have.length(2)
    })
  })

  describe('tests', () => {
    it('are neither singled out nor switched off', () => {
      expectNone(focusProblems(tests))
      const bad = file('test/a.test.ts', 'it.only(x)', 'xit(x)', 'this.skip()', "'it.only'")
      expect(focusProblems([bad])).to.have.length(2)
    })

    it('stand beside every source', () => {
      const paths = tests.map(({ path }) => path)
      expectNone(mirrorProblems(sources, paths))
      const unneeded = Object.keys(UNMIRRORED).filter((path) => !isFile(path))
      expectNone(unneeded.map((path) => `${path} does not exist but is excused`))
    })

    it('are missed beside a source with code, not beside one of types', () => {
      const types =
        "import type { A } from './a.ts'\nexport interface B {\n  a: A\n}\nexport type C = A\n"
      const problems = mirrorProblems(
        [
          file('src/a.ts', 'export function a() {}'),
          file('src/b.ts', types),
          file('src/index.ts', 'x'),
        ],
        ['test/b.test.ts'],
      )
      expect(problems).to.deep.equal(['src/a.ts: there is no test/a.test.ts'])
    })
  })

  describe('the kernel', () => {
    /** The names that a WebAssembly module imports. */
    function importsOfModule(bytes: Uint8Array<ArrayBuffer>): string[] {
      const module = new WebAssembly.Module(bytes)
      return WebAssembly.Module.imports(module).map((one) => `${one.module}.${one.name}`)
    }

    it('needs nothing from its host in a release, and only `abort` with its checks on', () => {
      const config = JSON.parse(projectText('asconfig.json'))
      expect(config.targets.release.use).to.include('abort=')
      expect(importsOfModule(readFileSync(projectPath('build/kernel.wasm')))).to.deep.equal([])
      const checked = importsOfModule(readFileSync(projectPath('build/kernel.checked.wasm')))
      expect(checked).to.deep.equal(['env.abort'])
    })

    it('would be seen to import something', () => {
      const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
      const memory = [2, 8, 1, 1, 0x65, 1, 0x6d, 2, 0, 1]
      expect(importsOfModule(Uint8Array.from([...header, ...memory]))).to.deep.equal(['e.m'])
    })
  })

  describe('formatter and linter', () => {
    function biome(args: readonly string[], input?: string): string {
      const script = projectPath('node_modules/@biomejs/biome/bin/biome')
      try {
        const options = { cwd: projectRoot(), encoding: 'utf8', input, stdio: 'pipe' } as const
        return execFileSync(process.execPath, [script, ...args], options)
      } catch (error) {
        const { stdout, stderr } = error as { stdout?: string; stderr?: string }
        return `failed\n${stdout}\n${stderr}`
      }
    }

    it('have nothing to say', () => {
      const output = biome(['check', '--error-on-warnings', '--max-diagnostics=200'])
      expect(output.startsWith('failed'), output).to.equal(false)
    })

    it('would have something to say', () => {
      const formatted = biome(['format', '--stdin-file-path=src/a.ts'], 'export const a="x";')
      expect(formatted).to.equal("export const a = 'x'\n")
    })
  })

  describe('reading of sources', () => {
    it('tells code from comments, strings, templates and regular expressions', () => {
      const text = [
        "a = 'it\\'s' // b",
        '/* c */ d = `e ${f(`g`)} h` + 1 / 2 / 3',
        'i = /["/]\\/j/.test(k) /* l',
        'm */ + "n"',
      ].join('\n')
      expect(codeOnly(text).replace(/ +/g, ' ').split('\n')).to.deep.equal([
        "a = ' ' ",
        ' d = ` ${f(` `)} ` + 1 / 2 / 3',
        'i = / /.test(k) ',
        ' + " "',
      ])
      expect(withoutComments("x = 'http://y' // z")).to.equal("x = 'http://y'     ")
    })

    it('finds every form of import', () => {
      const text = [
        "import a, { type B } from './a.ts'",
        'import {',
        '  c,',
        "} from './c.ts'",
        "export { d } from './d.ts'",
        "import './e.ts'",
        "const f = await import('./f.ts')",
        "// import './g.ts'",
        "const from = 'h'",
      ].join('\n')
      expect(importsOf(text)).to.deep.equal([
        { specifier: './a.ts', line: 1 },
        { specifier: './c.ts', line: 2 },
        { specifier: './d.ts', line: 5 },
        { specifier: './e.ts', line: 6 },
        { specifier: './f.ts', line: 7 },
      ])
    })
  })
})
