/**
 * All benchmarks, or those whose names are given.
 *
 *     npm run bench                      codecs, structures and the store
 *     npm run bench -- codecs store      some of them
 *     SEDGE_BENCH_SMOKE=1 npm run bench  everything once, on tiny inputs
 */
import { arch, cpus, platform } from 'node:os'
import { seededRandom } from '../test/support/seed.ts'
import { benchCodecs } from './codecs.ts'
import { SEED, SMOKE } from './settings.ts'
import { benchStore } from './store.ts'
import { benchStructures } from './structures.ts'

const BENCHES: Readonly<Record<string, () => void | Promise<void>>> = {
  codecs: () => benchCodecs(seededRandom(SEED)),
  structures: () => benchStructures(seededRandom(SEED)),
  store: benchStore,
}

const asked = process.argv.slice(2)
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
