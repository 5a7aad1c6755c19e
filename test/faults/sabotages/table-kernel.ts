/** Kernels that believe what they read, or answer wrongly: compiled from assembly/ with the edit. */
import { type Sabotage, WRONG_CONTENT } from './sabotage.ts'

export const KERNEL_SABOTAGES: readonly Sabotage[] = [
  {
    id: 'S20',
    what: 'does not verify the checksum of a block',
    slice: 'bit flips',
    complaint: /is told as FORMAT|is wrong/,
    edits: [
      {
        file: 'assembly/block-open.ts',
        text: 'load<u64>(trailer, 8) != xxh64(address, stored - 8, identity + offset)',
        by: 'false',
      },
    ],
  },
  {
    id: 'S21',
    what: 'does not verify what the frames of a log hold',
    slice: 'crash images: sync put',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'assembly/memtable-replay.ts',
        text: '(xxh64(start, payload, m.identity + <u64>offset + 1) as u32)',
        by: 'load<u32>(header, 4)',
      },
    ],
  },
  {
    id: 'S22',
    what: 'does not verify the headers of the frames of a log',
    slice: 'bit flips',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'assembly/memtable-replay.ts',
        text: 'if (load<u32>(header) != sum) return false',
        by: '',
      },
    ],
  },
  {
    id: 'S23',
    what: 'has filters that deny keys which are there',
    slice: 'model',
    complaint: /nothing instead of/,
    edits: [
      {
        file: 'assembly/bloom-filter.ts',
        text: 'if ((load<u32>(line + wordOf(x)) & bitOf(x)) == 0) return false',
        by: 'if ((load<u32>(line + wordOf(x)) & (bitOf(x) << 1)) == 0) return false',
      },
    ],
  },
  {
    id: 'S24',
    what: 'goes straight to what it found in tables that are not the newest any more',
    slice: 'tests: lookups',
    complaint: /goes straight to what it has found before/,
    edits: [
      {
        file: 'assembly/view.ts',
        text: 'if (now != fingerprint) shortcutVoid()',
        by: '',
      },
    ],
  },
  {
    id: 'S26',
    what: 'does not find what was put a moment ago',
    slice: 'tests: memtables',
    complaint: /finds what is in a frame that is open/,
    edits: [
      {
        file: 'assembly/memtable-index.ts',
        text: 'if (m.waiting != 0) indexWaiting(m)',
        by: '',
      },
    ],
  },
]
