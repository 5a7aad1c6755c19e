/**
 * The end: close, open again, count; and flipped bits, each of which the store must notice.
 */
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { open, SedgeError } from '../src/index.ts'
import type { Store } from './cities.ts'
import { bytes, duration, plural } from './format.ts'
import type { Report } from './report.ts'
import { rejectionCode } from './snapshots.ts'
import { compare, differences, isSame, type World } from './world.ts'

const FLIPS = 8

export async function closeAndReopen(
  db: Store,
  path: string,
  world: World,
  report: Report,
): Promise<void> {
  const { sequence } = db.stats()
  let start = performance.now()
  await db.close()
  const closeMs = performance.now() - start
  report.check(
    `The store was closed in ${duration(closeMs)}; reading it now is CLOSED.`,
    (await rejectionCode(() => db.get('city'))) === 'CLOSED' && db.status === 'closed',
    db.status,
  )
  const files = readdirSync(path)
  const size = files.reduce((sum, file) => sum + statSync(join(path, file)).size, 0)
  start = performance.now()
  const again: Store = await open(path, { valueEncoding: 'json', createIfMissing: false })
  const openMs = performance.now() - start
  const { recovery, sequence: kept } = again.stats()
  report.check(
    `Its ${plural(files.length, 'file')} take ${bytes(size)}. Opened again in ` +
      `${duration(openMs)}: it remembers ` +
      'its clean close and its last sequence.',
    recovery.cleanClose && recovery.droppedBytes === 0 && kept >= sequence,
    `clean close ${recovery.cleanClose}, ${recovery.droppedBytes} bytes dropped, sequence ${kept}`,
  )
  const found = await compare(again, world.model)
  report.check(
    `Counted and compared once more: ${plural(found.entries, 'entry', 'entries')}, all as ` +
      'they should be.',
    isSame(found),
    differences(found),
  )
  await again.close()
}

/** Changes one bit of a cleanly closed store at a time, and asks whether open, a full read or verify notices. */
export async function flipBits(path: string, random: () => number, report: Report): Promise<void> {
  report.say('The store that was killed is closed now. Every bit of its files counts.')
  const sizes = readdirSync(path)
    .map((file) => ({ file, size: statSync(join(path, file)).size }))
    .filter(({ size }) => size > 0)
  const total = sizes.reduce((sum, { size }) => sum + size, 0)
  const told: string[] = []
  const missed: string[] = []
  for (let flip = 0; flip < FLIPS; flip++) {
    let offset = Math.floor(random() * total)
    const place = sizes.find(({ size }) => (offset -= size) < 0) ?? sizes[0]!
    const position = Math.floor(random() * place.size)
    const undo = flipBit(join(path, place.file), position, Math.floor(random() * 8))
    const error = await damageTold(path)
    undo()
    if (error === undefined) missed.push(`${place.file} at ${position}`)
    else told.push(error.message)
  }
  report.check(
    `One bit was flipped in a file, at ${FLIPS} random places in turn: each time the store ` +
      'said so. The last one: ' +
      `“${told.at(-1) ?? ''}”`,
    missed.length === 0,
    `nothing said about ${missed.join(', ')}`,
  )
  report.check(
    'With the bit flipped back nothing is wrong.',
    (await damageTold(path)) === undefined,
  )
}

/** Returns a function that flips it back. */
function flipBit(file: string, position: number, bit: number): () => void {
  const flip = (): void => {
    const descriptor = openSync(file, 'r+')
    const byte = new Uint8Array(1)
    readSync(descriptor, byte, 0, 1, position)
    byte[0] = byte[0]! ^ (1 << bit)
    writeSync(descriptor, byte, 0, 1, position)
    closeSync(descriptor)
  }
  flip()
  return flip
}

/** What a reader who changes nothing is told. */
async function damageTold(path: string): Promise<SedgeError | undefined> {
  try {
    const db = await open(path, { readOnly: true })
    try {
      for await (const _ of db.iterator({ valueEncoding: 'binary' }));
      return (await db.verify()).problems[0]
    } finally {
      await db.close()
    }
  } catch (error) {
    if (error instanceof SedgeError) return error
    throw error
  }
}
