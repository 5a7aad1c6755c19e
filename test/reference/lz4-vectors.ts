/** LZ4 blocks written out byte by byte from the rules of the format, good and bad. */

/** The bytes of a text of ASCII characters. */
export function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0))
}

/** Blocks written by hand from the rules of the format, and what they stand for. */
export const GOLDEN: readonly (readonly [name: string, block: number[], content: string])[] = [
  ['nothing', [0x00], ''],
  ['one literal', [0x10, 0x61], 'a'],
  ['14 literals', [0xe0, ...ascii('abcdefghijklmn')], 'abcdefghijklmn'],
  ['15 literals', [0xf0, 0x00, ...ascii('abcdefghijklmno')], 'abcdefghijklmno'],
  ['16 literals', [0xf0, 0x01, ...ascii('abcdefghijklmnop')], 'abcdefghijklmnop'],
  ['15 + 254 literals', [0xf0, 0xfe, ...ascii('y'.repeat(269))], 'y'.repeat(269)],
  ['15 + 255 literals', [0xf0, 0xff, 0x00, ...ascii('z'.repeat(270))], 'z'.repeat(270)],
  ['an overlap by 1', [0x16, 0x61, 1, 0, 0x50, ...ascii('bcdef')], `${'a'.repeat(11)}bcdef`],
  ['an overlap by 2', [0x23, 0x61, 0x62, 2, 0, 0x50, ...ascii('vwxyz')], 'ababababavwxyz'],
  ['an overlap by 3', [0x34, ...ascii('abc'), 3, 0, 0x50, ...ascii('vwxyz')], 'abcabcabcabvwxyz'],
  [
    'a match of 18, the last of one token byte',
    [0x1e, 0x61, 1, 0, 0x50, ...ascii('vwxyz')],
    `${'a'.repeat(19)}vwxyz`,
  ],
  [
    'a match of 4 + 15',
    [0x1f, 0x61, 1, 0, 0x00, 0x50, ...ascii('vwxyz')],
    `${'a'.repeat(20)}vwxyz`,
  ],
  [
    'a match of 4 + 15 + 255',
    [0x1f, 0x61, 1, 0, 0xff, 0x00, 0x50, ...ascii('vwxyz')],
    `${'a'.repeat(275)}vwxyz`,
  ],
  [
    'a match behind a match, without literals between',
    [0x80, ...ascii('abcdefgh'), 8, 0, 0x01, 6, 0, 0x50, ...ascii('vwxyz')],
    'abcdefghabcdghabcvwxyz',
  ],
  [
    'a match from the very start, longer than 16 back',
    [0xf1, 0x02, ...ascii('abcdefghijklmnopq'), 17, 0, 0x50, ...ascii('vwxyz')],
    'abcdefghijklmnopqabcdevwxyz',
  ],
]

/** Blocks that break a rule, and the size that their reader expects. */
export const BROKEN: readonly (readonly [name: string, block: number[], bytes: number])[] = [
  ['no byte at all', [], 0],
  ['literals cut off', [0x20, 0x61], 2],
  ['no literals behind the last match', [0x10, 0x61, 1, 0], 5],
  ['an offset of 0', [0x10, 0x61, 0, 0, 0x50, ...ascii('vwxyz')], 10],
  ['an offset before the start', [0x10, 0x61, 2, 0, 0x50, ...ascii('vwxyz')], 10],
  ['an offset of 65,535 before the start', [0x10, 0x61, 255, 255, 0x50, ...ascii('vwxyz')], 10],
  ['an offset cut off', [0x10, 0x61, 1], 5],
  ['a literal length cut off', [0xf0, 0xff, 0xff], 100],
  ['a match length cut off', [0x1f, 0x61, 1, 0, 0xff], 100],
  ['a literal length beyond the content', [0xf0, ...Array(40).fill(255), 0], 100],
  ['a match length beyond the content', [0x1f, 0x61, 1, 0, ...Array(40).fill(255), 0, 0x00], 100],
  ['a byte too many', [0x10, 0x61, 0x61], 1],
  ['less than the content', [0x10, 0x61], 2],
  ['more than the content', [0x20, 0x61, 0x62], 1],
]
