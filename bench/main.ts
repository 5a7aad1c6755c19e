/**
 * All benchmarks, or those whose names are given.
 *
 *     npm run bench                      codecs, structures and the store
 *     npm run bench -- codecs store      some of them
 *     npm run bench -- --compare         the store side by side with its rivals
 *     SEDGE_BENCH_SMOKE=1 npm run bench  everything once, on tiny inputs
 *
 * For stores: --quick, --engines a,b, --workloads a,b, --entries 1000000, --rounds 5, --shape digits:16:100,
 * --cache 256 (MiB), --directory <where stores are made>, --json <file>, --metric time, settled or cpu.
 */
import { arch, cpus, platform, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { seededRandom } from '../test/support/seed.ts'
import { benchCodecs } from './codecs.ts'
import { benchStores, type DriverOptions } from './driver.ts'
import { SEED, type Settings, SMOKE, sized } from './settings.ts'
import { parseShape } from './shapes.ts'
import { metricOf } from './statistics.ts'
import { benchStructures } from './structures.ts'
import { WORKLOADS, workloadOf } from './workloads/all.ts'

const MIB = 1 << 20

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    compare: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    engines: { type: 'string' },
    workloads: { type: 'string' },
    entries: { type: 'string' },
    rounds: { type: 'string' },
    shape: { type: 'string', default: 'db_bench' },
    cache: { type: 'string', default: '256' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'string' },
    metric: { type: 'string', default: 'time' },
  },
})

const BENCHES: Readonly<Record<string, () => void | Promise<void>>> = {
  codecs: () => benchCodecs(seededRandom(SEED)),
  structures: () => benchStructures(seededRandom(SEED)),
  store: () => benchStores(driverOptions(), settings()),
}

function driverOptions(): DriverOptions {
  return {
    engines: values.engines?.split(','),
    workloads: values.workloads?.split(',').map(workloadOf) ?? WORKLOADS,
    isCompared: values.compare,
    jsonFile: values.json,
    metric: metricOf(values.metric),
  }
}

function settings(): Settings {
  const isQuick = values.quick || !values.compare
  return {
    entries: whole('entries', values.entries ?? sized(isQuick ? 200_000 : 1_000_000, 2000)),
    rounds: whole('rounds', values.rounds ?? sized(isQuick ? 1 : 5, 1)),
    shape: parseShape(values.shape),
    cacheBytes: whole('cache', values.cache) * MIB,
    writeBufferBytes: 64 * MIB,
    directory: values.directory,
    seed: SEED,
    warmMs: sized(isQuick ? 200 : 1000, 0),
  }
}

function whole(name: string, text: string | number): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`--${name}: ${text}`)
  return number
}

const asked = values.compare && positionals.length === 0 ? ['store'] : positionals
for (const name of asked) {
  if (!Object.hasOwn(BENCHES, name)) {
    throw new RangeError(`there is no benchmark '${name}': ${Object.keys(BENCHES).join(', ')}`)
  }
}

const processor = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
console.log(`Node ${process.version}, ${platform()} ${arch()}, ${processor}, seed ${SEED}`)
if (SMOKE) console.log('smoke: the times mean nothing')
for (const [name, run] of Object.entries(BENCHES)) {
  if (asked.length === 0 || asked.includes(name)) await run()
}
