/**
 * What may be mentioned only in some folders of `src`, and why. Everything about the machine comes in through
 * `env/`, so that tests can replace it.
 */
import { codeOnly, importsOf, matches, type SourceFile } from './source-text.ts'

interface Ban {
  /** Globals that the code mentions; a property, parameter or key of that name is something else. */
  readonly names?: readonly string[]
  /** Other code. */
  readonly code?: RegExp
  /** Modules that are imported. */
  readonly modules?: RegExp
  /** Beginnings of paths where it may stand. */
  readonly only: readonly string[]
  readonly reason: string
}

const ENV = 'src/env/'
const TOOL = 'src/tool/'

export const BANS: readonly Ban[] = [
  {
    names: ['WebAssembly'],
    only: ['src/kernel/'],
    reason: 'only the kernel door knows that there is WebAssembly',
  },
  {
    names: ['Date', 'performance'],
    only: [ENV],
    reason: 'the clock comes from env, so that a run can be repeated',
  },
  {
    names: ['Math.random', 'crypto'],
    modules: /^node:crypto$/,
    only: [ENV],
    reason: 'randomness comes from env, so that a run can be repeated',
  },
  {
    names: ['setTimeout', 'setInterval', 'setImmediate'],
    modules: /^node:timers/,
    only: [ENV],
    reason: 'timers come from env: one left running would keep the process alive',
  },
  {
    names: ['Atomics', 'SharedArrayBuffer', 'Worker', 'MessageChannel', 'MessagePort'],
    modules: /^node:worker_threads$/,
    only: [ENV, 'src/compaction/worker.ts'],
    reason: 'threads and what they share are the business of env; worker.ts is a thread itself',
  },
  {
    modules: /^node:(?:fs|fs\/promises|os|child_process|process|path)$/,
    only: [ENV, TOOL],
    reason: 'files, processes and facts about the machine come from env',
  },
  {
    names: ['fetch', 'WebSocket'],
    modules: /^node:(?:net|http|https|http2|dgram|dns|tls)$/,
    only: [ENV],
    reason: 'a store talks to nobody; env may use a socket as a lock',
  },
  {
    names: ['process', 'Deno', 'Bun', 'navigator'],
    only: [ENV, TOOL],
    reason: 'the runtime is told apart in env; the store reads no environment variables',
  },
  {
    names: ['console'],
    only: [TOOL],
    reason: 'a library does not print; it throws and tells events',
  },
  {
    names: ['eval', 'new Function', 'structuredClone'],
    modules: /^node:(?:v8|vm)$/,
    only: [],
    reason: 'no code or objects are made of bytes or strings; many hosts refuse it',
  },
  {
    code: /^(?:export\s+)?(?:await\b|(?:const|let)\s[^=]*=\s*await\b)/m,
    only: [],
    reason: 'a module with a top-level await cannot be required',
  },
]

/** Mentions of banned names and modules outside their places. */
export function bannedProblems(
  files: readonly SourceFile[],
  bans: readonly Ban[] = BANS,
): string[] {
  return files.flatMap((file) => {
    const code = codeOnly(file.text)
    const imports = importsOf(file.text)
    return bans
      .filter(({ only }) => !only.some((place) => file.path.startsWith(place)))
      .flatMap(({ names = [], code: pattern, modules, reason }) => [
        ...names.flatMap((name) => matches(file, code, globalNamed(name), `${name}: ${reason}`)),
        ...(pattern === undefined ? [] : matches(file, code, pattern, reason)),
        ...imports
          .filter(({ specifier }) => modules?.test(specifier))
          .map(({ specifier, line }) => `${file.path}:${line}: ${specifier}: ${reason}`),
      ])
  })
}

function globalNamed(name: string): RegExp {
  const spaced = name.replace('.', '\\s*\\.\\s*').replace(' ', '\\s+')
  return new RegExp(`(?<![.#$\\w])${spaced}\\b(?!\\s*\\??:)`)
}
