/**
 * Claim files: the names and bytes of `LOCK-<token>` [LOCK-2, LOCK-3, LOCK-7].
 *
 *     {"format":1,"token":"…","pid":…,…}\n
 *     <16 hex digits: the start of the SHA-256 of the line above>\n
 *
 * Whatever is in such a file was possibly written by somebody else: sizes are bounded, every field is checked, and
 * no path is made from its content.
 */
import * as nodeCrypto from 'node:crypto'
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import type { LockHolder } from '../errors.ts'
import { encodeUtf8 } from '../util/bytes.ts'
import { IDENTITY_TEXT_MAX } from './process-identity.ts'

export interface LockClaim {
  /** Also the end of the file's name. */
  readonly token: string
  readonly pid: number
  readonly platform: string
  /** Milliseconds since the epoch; told to people, never compared. */
  readonly since: number
  /** Whether the holder listens on `LOCK-<token>.sock`. */
  readonly hasSocket: boolean
  /** Whether the holder has the kernel's lock on `LOCK`, too. */
  readonly hasKernelLock: boolean
  readonly startTime?: string | undefined
  readonly bootId?: string | undefined
  readonly pidNamespace?: string | undefined
  readonly hostname?: string | undefined
  readonly fileSystemType?: number | undefined
  readonly device?: string | undefined
  readonly inode?: string | undefined
}

/** One file of the lock, by its name. */
export interface LockFileName {
  readonly token: string
  readonly part: 'claim' | 'socket' | 'draft'
}

const FORMAT = 1
const CLAIM_BYTES_MAX = 4096
const PID_MAX = 2 ** 31 - 1
/** The last millisecond that a `Date` can be. */
const TIME_MAX = 8.64e15
const NAME = /^LOCK-([0-9a-f]{24})(\.sock|\.tmp)?$/
/** Digits at the start of a token that say of which boot it is, and what stands there when that is not known. */
const BOOT_DIGITS = 8
const NO_BOOT = '0'.repeat(BOOT_DIGITS)

/** The name of the file that Deno locks in the kernel. It has no content. */
export const KERNEL_LOCK_NAME = 'LOCK'

export function claimName(token: string): string {
  return `LOCK-${token}`
}

export function socketName(token: string): string {
  return `LOCK-${token}.sock`
}

/** A claim is written under this name and renamed, so that it is never seen in part. */
export function draftName(token: string): string {
  return `LOCK-${token}.tmp`
}

/** What a file of the lock is, `undefined` for any other file. */
export function parseLockFileName(name: string): LockFileName | undefined {
  if (!name.startsWith(KERNEL_LOCK_NAME)) return undefined
  const [, token, suffix] = NAME.exec(name) ?? []
  if (token === undefined) return undefined
  if (suffix === undefined) return { token, part: 'claim' }
  return { token, part: suffix === '.sock' ? 'socket' : 'draft' }
}

/** A name that no other claim has, and that tells the boot of its owner even when the claim cannot be read [LOCK-26]. */
export function newToken(bootId: string | undefined): string {
  const [high = 0, low = 0] = nodeCrypto.randomFillSync(new Uint32Array(2))
  return bootDigits(bootId) + hexDigits(high) + hexDigits(low)
}

function hexDigits(word: number): string {
  return word.toString(16).padStart(8, '0')
}

/** Whether a token can only be of another boot than this one. */
export function isOfAnotherBoot(token: string, bootId: string | undefined): boolean {
  const [its, ours] = [token.slice(0, BOOT_DIGITS), bootDigits(bootId)]
  return its !== NO_BOOT && ours !== NO_BOOT && its !== ours
}

/** A boot id begins with random digits. */
function bootDigits(bootId: string | undefined): string {
  return /^[0-9a-f]{8}/.exec(bootId ?? '')?.[0] ?? NO_BOOT
}

export function encodeClaim(claim: LockClaim): Uint8Array {
  const line = JSON.stringify({ format: FORMAT, ...claim })
  return encodeUtf8(`${line}\n${checksum(line)}\n`)
}

/** The claim, or `undefined` when the bytes are not exactly those of a claim with this token. */
export function decodeClaim(bytes: Uint8Array, token: string): LockClaim | undefined {
  if (bytes.length > CLAIM_BYTES_MAX) return undefined
  const [line, sum, end, ...more] = new TextDecoder().decode(bytes).split('\n')
  if (line === undefined || end !== '' || more.length > 0 || sum !== checksum(line)) {
    return undefined
  }
  try {
    return checkedClaim(JSON.parse(line), token)
  } catch {
    return undefined
  }
}

/** Reads the claim at `path`; `'absent'` when it is gone, `'unreadable'` when it is damaged, a link, a FIFO, … */
export function readClaim(path: string, token: string): LockClaim | 'absent' | 'unreadable' {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status === undefined) return 'absent'
  if (!status.isFile() || status.size > CLAIM_BYTES_MAX) return 'unreadable'
  let fd: number | undefined
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
    if (fstatSync(fd).ino !== status.ino) return 'unreadable'
    const bytes = new Uint8Array(CLAIM_BYTES_MAX + 1)
    const count = readSync(fd, bytes, 0, bytes.length, 0)
    return decodeClaim(bytes.subarray(0, count), token) ?? 'unreadable'
  } catch {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined ? 'absent' : 'unreadable'
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** What a claim tells people about its owner. */
export function holderOf(token: string, claim: LockClaim | 'unreadable'): LockHolder {
  const file = claimName(token)
  if (claim === 'unreadable') return { file }
  return { pid: claim.pid, hostname: claim.hostname, since: claim.since, file }
}

function checksum(line: string): string {
  // In one call where there is one: a third of the time when it is the first.
  const { hash } = nodeCrypto as { hash?: (algorithm: string, data: string) => string }
  const digits =
    hash?.('sha256', line) ?? nodeCrypto.createHash('sha256').update(line).digest('hex')
  return digits.slice(0, 16)
}

/** Copies a claim field by field. Throws on the first that is not what it should be. */
function checkedClaim(source: unknown, token: string): LockClaim {
  if (typeof source !== 'object' || source === null) throw new TypeError('not an object')
  const field = (name: string): unknown =>
    Object.hasOwn(source, name) ? (source as Record<string, unknown>)[name] : undefined
  if (field('format') !== FORMAT || field('token') !== token) throw new TypeError('another format')
  return {
    token,
    pid: whole(field('pid'), 1, PID_MAX),
    platform: text(field('platform')) ?? '',
    since: whole(field('since'), 0, TIME_MAX),
    hasSocket: field('hasSocket') === true,
    hasKernelLock: field('hasKernelLock') === true,
    startTime: text(field('startTime')),
    bootId: text(field('bootId')),
    pidNamespace: text(field('pidNamespace')),
    hostname: text(field('hostname')),
    fileSystemType:
      field('fileSystemType') === undefined
        ? undefined
        : whole(field('fileSystemType'), 0, 2 ** 32),
    device: text(field('device')),
    inode: text(field('inode')),
  }
}

function whole(value: unknown, least: number, most: number): number {
  const isWhole = typeof value === 'number' && Number.isSafeInteger(value)
  if (!isWhole || value < least || value > most) throw new TypeError('not such a number')
  return value
}

/** Visible ASCII of bounded length: it goes into messages. */
function text(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (
    typeof value !== 'string' ||
    value.length > IDENTITY_TEXT_MAX ||
    !/^[\x20-\x7e]*$/.test(value)
  ) {
    throw new TypeError('not such a text')
  }
  return value
}
