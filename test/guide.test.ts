/** Every example of the guide and of the README is compiled and run as it stands there. */
import { expect } from 'chai'
import { ExampleFolder, examplesIn, examplesOf } from './support/examples.ts'
import { tempDirectory } from './support/temp.ts'

const PAGES = ['docs/guide.md', 'README.md']

const COMPILE_MS_MAX = 180_000

describe('guide', () => {
  const examples = PAGES.flatMap(examplesOf)
  let folder: ExampleFolder
  let complaints: string

  before(function () {
    this.timeout(COMPILE_MS_MAX)
    folder = new ExampleFolder(tempDirectory())
    complaints = folder.compile(examples)
  })

  it('has examples on every page, all of which import the package', () => {
    for (const page of PAGES) {
      const found = examples.filter(({ place }) => place.startsWith(page))
      expect(found, page).to.not.have.length(0)
    }
    for (const { place, code } of examples) {
      expect(code, place).to.match(/(?:from|require\() ?'sedgedb'/)
    }
  })

  it('has examples that compile under strict rules', () => {
    expect(complaints).to.equal('')
  })

  for (const [number, example] of examples.entries()) {
    it(`has an example "${example.heading}" that runs and ends, ${example.place}`, () => {
      expect(folder.run(number, example)).to.equal('')
    })
  }

  it('finds blocks of code by their language, and says where they are', () => {
    const page = [
      '# A',
      '```ts',
      'a',
      '```',
      '```sh',
      '# b',
      '```',
      '## C',
      '```cjs',
      'c',
      '',
      '```',
    ]
    expect(examplesIn('a.md', page.join('\n'))).to.deep.equal([
      { place: 'a.md:3', heading: 'A', language: 'ts', code: 'a\n' },
      { place: 'a.md:10', heading: 'C', language: 'cjs', code: 'c\n\n' },
    ])
  })

  it('would see an example that does not compile, and one that fails', () => {
    const text = "```ts\nimport 'sedgedb'\nconst a: number = 'b'\nthrow new Error(a + 'oops')\n```"
    const bad = examplesIn('a.md', text)
    const other = new ExampleFolder(tempDirectory())
    expect(other.compile(bad)).to.match(/example-0\/example\.ts\(2,\d+\): error TS2322/)
    expect(other.run(0, bad[0]!)).to.include('oops')
  }).timeout(COMPILE_MS_MAX)
})
