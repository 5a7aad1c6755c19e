/**
 * What every file system must do alike: each step gives a result or the code of an error, and the same steps on two
 * file systems must give the same list [ENV-9, ENV-10].
 */
import { errorCode, readFile } from '../../src/env/file-io.ts'
import type { FileSystem } from '../../src/env/file-system.ts'

export type StepResult = readonly [step: string, outcome: unknown]

/** Runs the steps in the empty directory `root` and returns what came of each. */
export function fileSystemSteps(fs: FileSystem, root: string): StepResult[] {
  const results: StepResult[] = []
  const step = (name: string, act: () => unknown): void => {
    try {
      results.push([name, act() ?? null])
    } catch (error) {
      results.push([name, errorCode(error)])
    }
  }
  contentSteps(fs, root, step)
  nameSteps(fs, root, step)
  return results
}

type Step = (name: string, act: () => unknown) => void

function contentSteps(fs: FileSystem, root: string, step: Step): void {
  const path = `${root}/a`
  const bytes = Uint8Array.of(1, 2, 3)
  step('open absent', () => fs.open(path, 'read'))
  step('open absent for writing', () => fs.open(path, 'readwrite'))
  step('create without directory', () => fs.open(`${root}/none/a`, 'create'))
  const file = fs.open(path, 'create')
  step('create again', () => fs.open(path, 'create'))
  step('below a file', () => fs.open(`${path}/b`, 'create'))
  step('read empty', () => file.read(new Uint8Array(4), 0))
  step('write with a gap', () => file.write(bytes, 5))
  step('size', () => file.size())
  step('write nothing', () => file.write(new Uint8Array(0), 100))
  step('size is the same', () => file.size())
  step('content', () => [...readFile(fs, path)].join())
  step('read part', () => file.read(new Uint8Array(2), 6))
  step('read past the end', () => file.read(new Uint8Array(2), 2 ** 33))
  step('shrink', () => file.truncate(6))
  step('grow', () => file.truncate(9))
  step('cut bytes are zero', () => [...readFile(fs, path)].join())
  step('negative position', () => file.read(new Uint8Array(1), -1))
  step('fractional position', () => file.write(bytes, 0.5))
  step('position is not a number', () => file.truncate(Number.NaN))
  step('sync', () => file.sync())
  step('close', () => file.close())
  step('close again', () => file.close())
  step('read closed', () => file.read(new Uint8Array(1), 0))
  step('write closed', () => file.write(bytes, 0))
  step('sync closed', () => file.sync())
  const reader = fs.open(path, 'read')
  step('write to a reader', () => reader.write(bytes, 0))
  step('remove while open', () => fs.remove(path))
  step('read removed', () => reader.read(new Uint8Array(20), 0))
  reader.close()
}

function nameSteps(fs: FileSystem, root: string, step: Step): void {
  step('make directories', () => fs.makeDirectory(`${root}/d/e/f`))
  step('make again', () => fs.makeDirectory(`${root}/d/e`))
  step('status of a directory', () => fs.status(`${root}/d`)?.kind)
  step('status of nothing', () => fs.status(`${root}/none`))
  step('open a directory', () => fs.open(`${root}/d`, 'read'))
  step('create over a directory', () => fs.open(`${root}/d`, 'create'))
  step('remove a directory', () => fs.remove(`${root}/d/e/f`))
  step('remove nothing', () => fs.remove(`${root}/none`))
  step('remove a full directory', () => fs.removeDirectory(`${root}/d`))
  step('remove an empty directory', () => fs.removeDirectory(`${root}/d/e/f`))
  step('remove it again', () => fs.removeDirectory(`${root}/d/e/f`))
  for (const name of ['x', 'y']) {
    const file = fs.open(`${root}/${name}`, 'create')
    file.write(new TextEncoder().encode(name), 0)
    file.close()
  }
  step('directory over a file', () => fs.makeDirectory(`${root}/x`))
  step('directory removal of a file', () => fs.removeDirectory(`${root}/x`))
  step('list', () => fs.list(root).sort().join())
  step('list a file', () => fs.list(`${root}/x`))
  step('list nothing', () => fs.list(`${root}/none`))
  step('rename over', () => fs.rename(`${root}/x`, `${root}/y`))
  step('renamed content', () => new TextDecoder().decode(readFile(fs, `${root}/y`)))
  step('rename nothing', () => fs.rename(`${root}/x`, `${root}/z`))
  step('rename over a directory', () => fs.rename(`${root}/y`, `${root}/d`))
  step('rename a directory over a file', () => fs.rename(`${root}/d`, `${root}/y`))
  step('rename into itself', () => fs.rename(`${root}/d`, `${root}/d/e/g`))
  step('rename a directory', () => fs.rename(`${root}/d`, `${root}/g`))
  step('list after', () => fs.list(root).sort().join())
  step('status of a file', () => {
    const status = fs.status(`${root}/y`)
    return `${status?.kind} ${status?.size}`
  })
  step('sync a directory', () => fs.syncDirectory(root))
  step('sync nothing', () => fs.syncDirectory(`${root}/none`))
}
