import { expect } from 'chai'
import type { FileSystem } from '../../src/env/file-system.ts'
import type { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { readClosed } from '../../src/version/closed-statement.ts'
import { Manifest } from '../../src/version/manifest.ts'
import type { Version } from '../../src/version/version.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import type { CrashPolicy } from '../support/crash-image.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { codeOf, directory, edits, lifeOfStore, OPTIONS, thrownBy } from '../support/manifests.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { versionText } from '../support/table-metas.ts'

describe('version/manifest-files', () => {
  before(loadChecksums)

  it('lets one of two take an epoch [MAN-14]', () => {
    const fs = directory()
    Manifest.create(fs, 'store', OPTIONS).close()
    const [one, two] = [Manifest.recover(fs, 'store')!, Manifest.recover(fs, 'store')!]
    const winner = Manifest.takeOver(fs, 'store', one)
    expect(codeOf(() => Manifest.takeOver(fs, 'store', two))).to.equal('LOCKED')
    winner.append({ lastSequence: 5 })
    expect(Manifest.recover(fs, 'store')).to.include({ epoch: 2, lastSequence: 5 })
  })

  it('lets one of two win, whoever comes between at any step [MAN-14]', () => {
    for (let step = 0; ; step++) {
      const inner = directory()
      Manifest.create(inner, 'store', OPTIONS).append({ lastSequence: 1 })
      let calls = 0
      let rival: Manifest | undefined
      let rivalCode: string | undefined
      const fs = faultFileSystem(inner, () => {
        if (calls++ !== step) return undefined
        rivalCode = codeOf(() => {
          const recovered = Manifest.recover(inner, 'store')!
          rival = Manifest.takeOver(inner, 'store', recovered)
          rival.append({ lastSequence: 2 })
        })
        return undefined
      })
      let mine: Manifest | undefined
      const myCode = codeOf(() => {
        mine = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!)
        mine.append({ logNumber: 3 })
      })
      if (calls <= step) break
      for (const code of [myCode, rivalCode]) {
        if (code !== undefined) expect(code, `step ${step}`).to.equal('LOCKED')
      }
      const recovered = Manifest.recover(inner, 'store')!
      if (rivalCode === undefined) {
        expect(recovered.lastSequence, `step ${step}`).to.equal(2)
        if (myCode === undefined) expect(rival!.isFenced(), `step ${step}`).to.equal(true)
      }
      if (myCode === undefined) {
        expect(mine!.isFenced(), `step ${step}`).to.equal(false)
        expect(recovered, `step ${step}`).to.include({ logNumber: 3, epoch: mine!.epoch })
      }
    }
  })

  it('lets one of two create a store [MAN-14]', () => {
    let races = 0
    for (let step = 0; ; step++) {
      const inner = directory()
      let calls = 0
      let rivalCode: string | undefined = 'none'
      const fs = faultFileSystem(inner, () => {
        if (calls++ === step) rivalCode = codeOf(() => Manifest.create(inner, 'store', OPTIONS))
        return undefined
      })
      const myCode = codeOf(() => Manifest.create(fs, 'store', OPTIONS))
      if (calls <= step) break
      const won = [myCode, rivalCode].filter((code) => code === undefined).length
      expect(won, `step ${step}: ${myCode} ${rivalCode}`).to.be.at.most(1)
      if (won === 1) expect(Manifest.recover(inner, 'store')).to.not.equal(undefined)
      races++
    }
    expect(races).to.be.greaterThan(5)
  })

  it('answers every failing call with a typed error and leaves a sound store [MAN-13]', () => {
    for (const code of ['EIO', 'ENOSPC', 'EMFILE', 'EACCES']) {
      for (let step = 0; ; step++) {
        const inner = directory()
        let calls = 0
        const fs = faultFileSystem(inner, () => (calls++ === step ? code : undefined))
        const error = thrownBy(() => lifeOfStore(fs), true)
        if (calls <= step) break
        if (error !== undefined) expect(error.code).to.be.oneOf(['IO', 'FULL', 'FAILED'])
        const recovered = Manifest.recover(inner, 'store')
        if (recovered === undefined) Manifest.create(inner, 'store', OPTIONS)
        else Manifest.takeOver(inner, 'store', recovered).append({ lastSequence: 99 })
      }
    }
  })

  it('leaves the state before or after, whole, wherever a power cut ends it [MAN-13, MAN-15, MAN-17]', function () {
    this.timeout(60_000)
    const random = seededRandom(testSeed())
    const expected = statesOfLife()
    const progress = newProgress()
    const fs = new CrashFileSystem()
    fs.makeDirectory('store')
    let points = 0
    fs.onMutation = () => {
      points++
      for (const image of imagesOf(fs, random)) checkImage(image, progress, expected)
    }
    trackedLife(fs, progress)
    expect(points).to.be.greaterThan(80)
    checkImage(fs.image('lost'), { ...progress, next: progress.done }, expected)
  })

  it('survives power cuts while it recovers from one [MAN-13, MAN-14]', function () {
    this.timeout(60_000)
    const random = seededRandom(testSeed())
    const expected = statesOfLife()
    const progress = newProgress()
    const fs = new CrashFileSystem()
    fs.makeDirectory('store')
    let recoveries = 0
    fs.onMutation = () => {
      for (const image of imagesOf(fs, random).slice(2, 4)) {
        if (Manifest.recover(image, 'store') === undefined) continue
        const again = CrashFileSystem.of(image, 'store')
        again.onMutation = () => {
          recoveries++
          checkImage(again.image(random.chance(0.3) ? 'lost' : random), progress, expected)
        }
        Manifest.takeOver(again, 'store', Manifest.recover(again, 'store')!).close()
      }
    }
    trackedLife(fs, progress)
    expect(recoveries).to.be.greaterThan(1000)
  })

  it('leaves everything as it was when it closes without a change [MAN-20, MAN-23]', () => {
    const fs = new CrashFileSystem()
    fs.makeDirectory('store')
    const first = Manifest.create(fs, 'store', OPTIONS)
    first.writeClosed([])
    first.close()
    const names = fs.list('store').sort()
    for (let count = 0; count < 3; count++) {
      const recovered = Manifest.recover(fs, 'store')!
      const next = Manifest.takeOver(fs, 'store', recovered, { isClosed: true })
      expect(next.epoch).to.equal(2)
      next.writeClosed([])
      next.close()
      for (const image of [fs, fs.image('lost'), fs.image('kept')]) {
        expect(image.list('store').sort()).to.deep.equal(names)
        const after = Manifest.recover(image, 'store')!
        expect(readClosed(image, 'store', after)).to.include({ epoch: 1 })
      }
    }
  })

  it('makes another statement when the last one does not hold without its marker any more [MAN-19, MAN-23]', () => {
    const cut = (fs: FileSystem, name: string): void => {
      const file = fs.open(`store/${name}`, 'readwrite')
      file.truncate(file.size() - 1)
      file.close()
    }
    const remove = (fs: FileSystem, name: string): void => fs.remove(`store/${name}`)
    for (const spoil of [cut, remove]) {
      for (const name of ['CURRENT-000001-000001', 'CLOSED']) {
        const fs = directory()
        const first = Manifest.create(fs, 'store', OPTIONS)
        first.writeClosed([])
        first.close()
        const recovered = Manifest.recover(fs, 'store')!
        const next = Manifest.takeOver(fs, 'store', recovered, { isClosed: true })
        spoil(fs, name)
        next.writeClosed([])
        next.close()
        const after = Manifest.recover(fs, 'store')!
        expect(readClosed(fs, 'store', after), name).to.include({ epoch: 2 })
      }
    }
  })

  it('closes all the same when its marker cannot be taken back [MAN-19, MAN-23]', () => {
    const inner = directory()
    const first = Manifest.create(inner, 'store', OPTIONS)
    first.writeClosed([])
    first.close()
    const fs = faultFileSystem(inner, (call) => (call === 'remove' ? 'EACCES' : undefined))
    const next = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!, { isClosed: true })
    next.writeClosed([])
    next.close()
    const after = Manifest.recover(inner, 'store')!
    expect(readClosed(inner, 'store', after)).to.include({ epoch: 2 })
  })

  it('starts anew after any interrupted creation [MAN-12, MAN-13]', () => {
    const random = seededRandom(testSeed())
    const fs = new CrashFileSystem()
    fs.makeDirectory('store')
    let creations = 0
    const checkCreation = (from: CrashFileSystem, depth: number): void => {
      for (const image of imagesOf(from, random)) {
        if (Manifest.recover(image, 'store') !== undefined) continue
        const again = CrashFileSystem.of(image, 'store')
        if (depth < 2) again.onMutation = () => checkCreation(again, depth + 1)
        Manifest.create(again, 'store', OPTIONS).append({ lastSequence: 1 })
        expect(Manifest.recover(again.image('lost'), 'store')).to.include({ lastSequence: 1 })
        creations++
      }
    }
    fs.onMutation = () => checkCreation(fs, 1)
    Manifest.create(fs, 'store', OPTIONS)
    expect(creations).to.be.greaterThan(100)
  })
})

/** How far a life has come: `done` edits are acknowledged, `next` may be under way. */
interface Progress {
  done: number
  next: number
  /** The highest file number that was handed out. */
  handedOut: number
  isCreated: boolean
}

function newProgress(): Progress {
  return { done: 0, next: 0, handedOut: 0, isCreated: false }
}

/** Create, edit, close, take over, edit until the manifest was replaced, allocate. */
function trackedLife(
  fs: FileSystem,
  progress: Progress,
  onState?: (version: Version) => void,
): void {
  let manifest = Manifest.create(fs, 'store', OPTIONS)
  progress.isCreated = true
  onState?.(manifest.version)
  const editTo = (count: number): void => {
    while (progress.done < count) {
      progress.next = progress.done + 1
      edits(manifest, 1, progress.done)
      progress.done = progress.next
      onState?.(manifest.version)
    }
  }
  const reopen = (isClosed: boolean): void => {
    manifest.writeClosed([{ number: 5, logLength: 80, valueLength: 0 }])
    manifest.close()
    manifest = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!, { isClosed })
  }
  editTo(2)
  reopen(true)
  reopen(true)
  editTo(22)
  for (let count = 0; count < 70; count++) progress.handedOut = manifest.allocateNumber()
  reopen(false)
  editTo(24)
  manifest.close()
}

/** The version after each edit of `trackedLife`, as text. */
function statesOfLife(): string[] {
  const states: string[] = []
  trackedLife(directory(), newProgress(), (version) => states.push(versionText(version)))
  return states
}

function imagesOf(fs: CrashFileSystem, random: Random): MemoryFileSystem[] {
  const policies: CrashPolicy[] = ['lost', 'kept', ...Array<Random>(8).fill(random)]
  return policies.map((policy) => fs.image(policy))
}

/** An image holds the last acknowledged state or the one under way, can be taken over, and repeats no number. */
function checkImage(
  image: MemoryFileSystem,
  progress: Progress,
  expected: readonly string[],
): void {
  const { done, next, handedOut, isCreated } = progress
  const recovered = Manifest.recover(image, 'store')
  if (recovered === undefined) {
    expect(isCreated, 'no store').to.equal(false)
    return
  }
  expect(recovered.lastSequence).to.be.oneOf([done, next])
  expect(versionText(recovered.version)).to.equal(expected[recovered.lastSequence])
  expect(recovered.nextFileNumber).to.be.greaterThan(handedOut)
  readClosed(image, 'store', recovered)
  const manifest = Manifest.takeOver(image, 'store', recovered)
  expect(versionText(manifest.version)).to.equal(expected[recovered.lastSequence])
  expect(manifest.allocateNumber()).to.be.greaterThan(handedOut)
  manifest.close()
  const types = image
    .list('store')
    .filter((name) => name.startsWith('CURRENT') || name.startsWith('MANIFEST'))
  expect(types.length).to.equal(2)
}
