/**
 * Builds everything, in order:
 *
 *   kernel   assembly/ -> build/kernel.wasm, build/kernel.checked.wasm -> src/kernel/kernel-binary.ts
 *   worker   src/compaction/worker.ts and all it imports -> src/env/worker-source.ts
 *   code     src, test, bench, demo -> build/;  src -> dist/index.js and its types
 *
 * A step is left out when a hash of its inputs says that its outputs are up to date. Outputs are made
 * beside their place and moved there, so that a failed build leaves the last good one. Any failure ends the build.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { build as bundle } from 'esbuild'
import { filesBelow, inRoot, isMain, run } from './common.mjs'

const KERNELS = [
  { target: 'release', file: 'build/kernel.wasm', imports: [] },
  { target: 'checked', file: 'build/kernel.checked.wasm', imports: ['env.abort'] },
]
const KERNEL_BINARY = 'src/kernel/kernel-binary.ts'
const WORKER_ENTRY = 'src/compaction/worker.ts'
const WORKER_SOURCE = 'src/env/worker-source.ts'
const COMPILED = ['src', 'test', 'bench', 'demo']

/** What every step depends on besides its own inputs: the tools and this script. */
const TOOLS = ['package-lock.json', 'scripts/build.mjs']

const STAMPS = 'build/stamps.json'

export async function build() {
  mkdirSync(inRoot('build'), { recursive: true })
  await step('kernel', {
    inputs: ['asconfig.json', ...filesBelow('assembly', '.ts')],
    outputs: [...KERNELS.map(({ file }) => file), KERNEL_BINARY],
    make: makeKernel,
  })
  await step('worker', {
    inputs: filesBelow('src', '.ts').filter((file) => file !== WORKER_SOURCE),
    outputs: [WORKER_SOURCE],
    make: makeWorker,
  })
  await step('code', {
    inputs: [
      'tsconfig.json',
      'tsconfig.build.json',
      ...COMPILED.flatMap((folder) => filesBelow(folder, '.ts')),
    ],
    outputs: ['build/src', 'dist'],
    make: makeCode,
  })
}

/** Runs `make` unless the outputs exist and were made from these very inputs. */
async function step(name, { inputs, outputs, make }) {
  const hash = createHash('sha256')
  for (const file of [...TOOLS, ...inputs]) {
    const content = readFileSync(inRoot(file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  const stamp = hash.digest('hex')
  if (readStamps()[name] === stamp && outputs.every((file) => existsSync(inRoot(file)))) return

  const start = performance.now()
  writeStamps({ ...readStamps(), [name]: undefined })
  await make()
  writeStamps({ ...readStamps(), [name]: stamp })
  console.log(`built ${name} in ${Math.round(performance.now() - start)} ms`)
}

function readStamps() {
  return existsSync(inRoot(STAMPS)) ? JSON.parse(readFileSync(inRoot(STAMPS), 'utf8')) : {}
}

function writeStamps(stamps) {
  writeWhole(STAMPS, `${JSON.stringify(stamps, null, 2)}\n`)
}

async function makeKernel() {
  await Promise.all(
    KERNELS.map(async ({ target, file, imports }) => {
      const fresh = `build/${target}.next/${file.slice('build/'.length)}`
      mkdirSync(inRoot(dirname(fresh)), { recursive: true })
      await run('node_modules/assemblyscript/bin/asc.js', [
        ...['--config', 'asconfig.json', '--target', target, '--outFile', fresh],
      ])
      checkImports(fresh, imports)
      renameSync(inRoot(fresh), inRoot(file))
      const map = `${fresh}.map`
      if (existsSync(inRoot(map))) renameSync(inRoot(map), inRoot(`${file}.map`))
      rmSync(inRoot(dirname(fresh)), { recursive: true })
    }),
  )
  const base64 = readFileSync(inRoot(KERNELS[0].file)).toString('base64')
  writeGenerated(KERNEL_BINARY, 'the release kernel', 'KERNEL_BASE64', base64)
}

/** Inlined in every user's program, the release kernel must need nothing from its host. */
function checkImports(file, allowed) {
  const module = new WebAssembly.Module(readFileSync(inRoot(file)))
  const unexpected = WebAssembly.Module.imports(module)
    .map((one) => `${one.module}.${one.name}`)
    .filter((name) => !allowed.includes(name))
  if (unexpected.length > 0) throw new Error(`${file} imports ${unexpected.join(', ')}`)
}

/**
 * One CommonJS string: of the forms there are, only that starts by `new Worker(source, { eval: true })` on all
 * of Node 20, Node 26, Deno and Bun.
 */
async function makeWorker() {
  const { outputFiles, metafile } = await bundle({
    entryPoints: [inRoot(WORKER_ENTRY)],
    absWorkingDir: inRoot('.'),
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
  if (WORKER_SOURCE in metafile.inputs) {
    throw new Error(`the worker imports its own source: ${WORKER_ENTRY} reaches ${WORKER_SOURCE}`)
  }
  writeGenerated(WORKER_SOURCE, 'the worker as one script', 'WORKER_SOURCE', outputFiles[0].text)
}

async function makeCode() {
  for (const folder of ['build.next', 'dist.next']) {
    rmSync(inRoot(folder), { recursive: true, force: true })
  }
  const compiler = 'node_modules/typescript/bin/tsc'
  await run(compiler, ['-p', 'tsconfig.json', '--noEmitOnError', '--outDir', 'build.next'])
  await run(compiler, ['-p', 'tsconfig.build.json', '--noEmitOnError', '--outDir', 'dist.next'])
  await makePackage('dist.next/index.js')
  for (const folder of COMPILED) replaceFolder(`build.next/${folder}`, `build/${folder}`)
  replaceFolder('dist.next', 'dist')
  rmSync(inRoot('build.next'), { recursive: true })
}

/** One file: a hundred modules took four times as long to import. What brings the worker along is its text. */
async function makePackage(outfile) {
  await bundle({
    entryPoints: [inRoot('src/index.ts')],
    absWorkingDir: inRoot('.'),
    outfile: inRoot(outfile),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'warning',
  })
}

/** Puts `fresh` in the place of `folder`; when there is no `fresh`, the old one goes all the same. */
function replaceFolder(fresh, folder) {
  rmSync(inRoot(folder), { recursive: true, force: true })
  if (existsSync(inRoot(fresh))) renameSync(inRoot(fresh), inRoot(folder))
}

function writeGenerated(file, what, name, text) {
  const header = `/** Generated by scripts/build.mjs: ${what}. Do not edit. */\n`
  writeWhole(file, `${header}export const ${name}: string =\n  ${JSON.stringify(text)}\n`)
}

/** Nobody ever sees half a file. */
function writeWhole(file, text) {
  writeFileSync(inRoot(`${file}.next`), text)
  renameSync(inRoot(`${file}.next`), inRoot(file))
}

if (isMain(import.meta.url)) {
  try {
    await build()
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
