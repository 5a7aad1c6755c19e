/**
 * Temporary directories for tests, under the system's folder for such things.
 *
 * One made during a test, or in a `beforeEach`, is removed after that test; one made elsewhere (a `before`
 * hook, a script of its own) is removed when the process ends.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ofTest = new Set<string>()
const ofProcess = new Set<string>()
let inTest = false

/** Makes an empty directory and returns its absolute path. */
export function tempDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'sedgedb-test-'))
  ;(inTest ? ofTest : ofProcess).add(path)
  return path
}

/** Calls `action` with `directory` as the working directory: the address of a socket has no room for a long path. */
export function within<T>(directory: string, action: () => T): T {
  const before = process.cwd()
  process.chdir(directory)
  try {
    return action()
  } finally {
    process.chdir(before)
  }
}

/** Removes the directories made so far. Tests need not call it. */
export function removeTempDirectories(): void {
  removeAll(ofTest)
  removeAll(ofProcess)
}

function removeAll(paths: Set<string>): void {
  for (const path of paths) {
    // A child process that was killed may need a moment to let go of its files.
    rmSync(path, { recursive: true, force: true, maxRetries: 3 })
    paths.delete(path)
  }
}

process.once('exit', removeTempDirectories)

// Imported at the top of a test file, these become root hooks: around all other hooks of every test.
if (typeof globalThis.beforeEach === 'function') {
  beforeEach(() => {
    inTest = true
  })
  afterEach(() => {
    inTest = false
    removeAll(ofTest)
  })
}
