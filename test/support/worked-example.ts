/** The hex dumps that stand in the pages of formats under "Worked example". */
import { fromHex } from '../../src/util/bytes.ts'
import { projectText } from './project.ts'

/** The bytes that the dump of a page spells; each line says its offset. */
export function workedExample(page: string): Uint8Array {
  const section = projectText('docs', page).split('\n## Worked example\n')[1] ?? ''
  const lines = section.split('```')[1]?.trim().split('\n') ?? []
  let hex = ''
  for (const line of lines) {
    const match = /^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: |$)/.exec(line)
    if (match === null) throw new Error(`${page}: not a line of a dump: ${line}`)
    if (Number.parseInt(match[1]!, 16) * 2 !== hex.length) {
      throw new Error(`${page}: a wrong offset: ${line}`)
    }
    hex += match[2]!.replaceAll(' ', '')
  }
  return fromHex(hex)
}
