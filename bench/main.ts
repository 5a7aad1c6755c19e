/**
 * All benchmarks, or those whose names are given.
 *
 *     npm run bench                      the kernel (bytes, codecs, structures, jobs) and the store
 *     npm run bench -- codecs store      some of them
 *     npm run bench -- --compare         the store side by side with its rivals
 *     SEDGE_BENCH_SMOKE=1 npm run bench  everything once, on tiny inputs
 *
 * For stores: --quick, --engines a,b, --workloads a,b, --entries 1000000, --rounds 5, --shape digits:16:100,
 * --cache 256 (MiB), --directory <where stores are made>, --metric time, settled or cpu; --json <file>, --html <file>,
 * --docs for where results go besides the terminal, --report <file.jsonl> to report earlier ones again.
 */
import { arch, cpus, platform, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { seededRandom } from '../test/support/seed.ts'
import { benchBytes } from './bytes.ts'
import { benchCodecs } from './codecs.ts'
import { benchStores, type DriverOptions, report } from './driver.ts'
import { benchJobs } from './jobs.ts'
import { readResults } from './results.ts'
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
    cache: { type: 'string' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'string' },
    html: { type: 'string' },
    docs: { type: 'boolean', default: false },
    report: { type: 'string' },
    metric: { type: 'string', default: 'time' },
  },
})

const BENCHES: Readonly<Record<string, () => void | Promise<void>>> = {
  bytes: () => benchBytes(seededRandom(SEED)),
  codecs: () => benchCodecs(seededRandom(SEED)),
  structures: () => benchStructures(seededRandom(SEED)),
  jobs: () => benchJobs(seededRandom(SEED)),
  store: () => benchStores(driverOptions(), settings()),
}

/** Results of a comparison are kept beside what the build makes. */
function driverOptions(): DriverOptions {
  const args = process.argv.slice(2).filter((arg) => arg !== '--compare')
  const script = values.compare ? 'bench:compare' : 'bench'
  return {
    engines: values.engines?.split(','),
    workloads: values.workloads?.split(',').map(workloadOf) ?? WORKLOADS,
    isCompared: values.compare,
    metric: metricOf(values.metric),
    jsonFile: values.json ?? (values.compare ? 'build/bench.jsonl' : undefined),
    htmlFile: values.html ?? (values.compare ? 'build/bench.html' : undefined),
    isDocumented: values.docs,
    command: ['npm', 'run', script, ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
  }
}

function settings(): Settings {
  const isQuick = values.quick || !values.compare
  const shape = parseShape(values.shape)
  const entries = whole('entries', values.entries ?? sized(isQuick ? 200_000 : 1_000_000, 2000))
  // Twice the data, with room for what an engine keeps besides.
  const fitting = 32 + Math.ceil((2 * entries * (shape.keyBytes + shape.valueBytes)) / MIB)
  return {
    entries,
    rounds: whole('rounds', values.rounds ?? sized(isQuick ? 1 : 5, 1)),
    shape,
    cacheBytes: whole('cache', values.cache ?? Math.min(fitting, 2047)) * MIB,
    writeBufferBytes: 64 * MIB,
    directory: values.directory,
    seed: SEED,
    warmMs: sized(isQuick ? 200 : 1000, 0),
    processMsMax: isQuick ? 60_000 : 300_000,
  }
}

function whole(name: string, text: string | number): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`--${name}: ${text}`)
  return number
}

async function runBenches(): Promise<void> {
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
}

if (values.report !== undefined) await report(readResults(values.report), driverOptions())
else await runBenches()
