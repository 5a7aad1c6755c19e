/**
 * The socket beside a claim: as long as the process lives the kernel accepts connections to it, even while the process
 * is stopped or busy; when it dies, however it dies, the kernel refuses them [LOCK-5, LOCK-24].
 *
 * A socket does not keep the process alive. Where sockets are refused or impossible a claim does without.
 */
import { closeSync, constants, lstatSync, openSync, readFileSync, unlinkSync } from 'node:fs'
// Listening loads it, for the first time in the middle of an open.
import 'node:cluster'
import { connect, createServer, type Server } from 'node:net'
import { errorCode } from './file-io.ts'
import type { SocketEvidence } from './lock-verdict.ts'

/** What fits in a socket's address, without its final zero byte. */
const PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103

/** Connections that a stopped process has not taken. Systems cut this down to their own limit. */
const QUEUE_LENGTH = 4096

/** Local sockets answer at once. This is for kernels and sandboxes that do not. Milliseconds. */
const ANSWER_MS_MAX = 2000

export interface LockSocket {
  /** Stops listening and removes the file. Never throws. */
  close(): void
}

/** Listens on `directory/name`; `undefined` where that cannot be done. */
export async function listenOn(directory: string, name: string): Promise<LockSocket | undefined> {
  // A Windows pipe is not in the directory.
  if (process.platform === 'win32') return undefined
  const path = `${directory}/${name}`
  try {
    const server = await withShortPath(directory, name, listen)
    // A path that did not fit may have been cut short.
    const isThere = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
    const socket = { close: () => closeServer(server, path) }
    if (isThere) return socket
    socket.close()
  } catch {
    // Refused or impossible: the claim says that it has no socket.
  }
  return undefined
}

/** Asks the kernel whether anybody listens on `directory/name`. Sends nothing. */
export async function probeSocket(directory: string, name: string): Promise<SocketEvidence> {
  try {
    const status = lstatSync(`${directory}/${name}`, { throwIfNoEntry: false })
    // The runtime removes the file when it closes the socket of a thread that ends.
    if (status === undefined) return isListed(name) === false ? 'gone' : 'absent'
    if (!status.isSocket()) return 'unknown'
    const evidence = await withShortPath(directory, name, tryConnecting)
    return evidence === 'refused' ? confirmRefusal(name) : evidence
  } catch {
    return 'unknown'
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy())
    // It stays: a connection that fails later is no concern of the lock's.
    server.on('error', reject)
    server.on('listening', () => {
      server.unref()
      resolve(server)
    })
    server.listen({ path, backlog: QUEUE_LENGTH })
  })
}

function tryConnecting(path: string): Promise<SocketEvidence> {
  return new Promise((resolve) => {
    const connection = connect({ path })
    const finish = (evidence: SocketEvidence): void => {
      clearTimeout(timer)
      connection.destroy()
      resolve(evidence)
    }
    const timer = setTimeout(() => finish('unknown'), ANSWER_MS_MAX)
    connection.once('connect', () => finish('accepts'))
    connection.on('error', (error) => {
      const code = errorCode(error)
      if (code === 'ECONNREFUSED') finish('refused')
      else if (code === 'ENOENT') finish('absent')
      // The queue of connections that a stopped process has not taken is full.
      else finish(code === 'EAGAIN' ? 'accepts' : 'unknown')
    })
  })
}

/**
 * Tells a socket that nobody listens on from one whose queue is full. Only Linux has two answers for them, and Bun
 * gives both as one: there the kernel's list of sockets decides.
 */
function confirmRefusal(name: string): SocketEvidence {
  if (process.platform !== 'linux') return 'unknown'
  if (process.versions['bun'] === undefined) return 'refused'
  const isThere = isListed(name)
  if (isThere === undefined) return 'unknown'
  return isThere ? 'accepts' : 'refused'
}

/** Whether the kernel has a socket of this name in our network namespace, with a file or without; `undefined` where that is secret. */
function isListed(name: string): boolean | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const sockets = readFileSync('/proc/net/unix', 'latin1').split('\n')
    return sockets.some((line) => line.endsWith(`/${name}`))
  } catch {
    return undefined
  }
}

/** Calls `use` with a path to the socket that fits in an address: through the open directory where need be. */
async function withShortPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = `${directory}/${name}`
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return use(path)
  if (process.platform !== 'linux') throw new RangeError('the path does not fit in an address')
  const fd = openSync(directory, constants.O_RDONLY)
  try {
    return await use(`/proc/self/fd/${fd}/${name}`)
  } finally {
    closeSync(fd)
  }
}

function closeServer(server: Server, path: string): void {
  try {
    server.close()
  } catch {
    // It was not listening any more.
  }
  try {
    unlinkSync(path)
  } catch {
    // The runtime has removed it.
  }
}
