/**
 * From what callers pass to what the engine takes: levels, operations, offsets.
 *
 * All of the caller's code (encoders, getters, `toJSON`) runs in here, before the engine is asked for anything.
 */
import type { Codec, CodecRole } from '../key/encoding.ts'
import { codecFor, isBytes } from '../key/encoding.ts'
import { booleanOption, ownValue, plainOptions } from '../util/own-option.ts'
import type { Durability, Operation } from './engine-types.ts'

/** The level that `sync` asks for, `undefined` for the store's own. */
export function levelOption(options: object): Durability | undefined {
  const sync = booleanOption(options, 'sync')
  if (sync === undefined) return undefined
  return sync ? 'disk' : 'process'
}

const RANGE_NAMES: readonly string[] = [
  'gt',
  'gte',
  'lt',
  'lte',
  'prefix',
  'reverse',
  'limit',
  'keyEncoding',
  'valueEncoding',
  'snapshot',
  'sync',
]

/** The range of `clear` or `compact`, checked because a name that is misspelt would bound nothing [OPT-12]. */
export function rangeArgument(range: unknown): object {
  return plainOptions(range, 'range', RANGE_NAMES)
}

/** The codec that a call names, or the store's own. */
export function codecOption(options: object, role: CodecRole, own: Codec): Codec {
  const given = options as { keyEncoding?: unknown; valueEncoding?: unknown }
  const encoding =
    role === 'key'
      ? ownValue(options, 'keyEncoding', given.keyEncoding)
      : ownValue(options, 'valueEncoding', given.valueEncoding)
  return encoding === undefined ? own : codecFor(encoding, role)
}

/** Encodes the operations of a batch, in order. Throws `TypeError` naming the operation's place. */
export function encodeOperations(operations: unknown, keys: Codec, values: Codec): Operation[] {
  if (!Array.isArray(operations)) throw new TypeError('operations must be an array')
  const encoded: Operation[] = []
  for (let index = 0; index < operations.length; index++) {
    encoded.push(encodeOperation(operations[index], index, keys, values))
  }
  return encoded
}

function encodeOperation(given: unknown, index: number, keys: Codec, values: Codec): Operation {
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`operations[${index}] must be an object`)
  }
  const operation = given as { type?: unknown; key?: unknown; value?: unknown }
  const type = operation.type
  if (type === 'put') {
    const key = keys.encode(operation.key, 'the key of an operation')
    return { kind: 'put', key, value: values.encode(operation.value, 'the value of an operation') }
  }
  if (type === 'delete') {
    return { kind: 'delete', key: keys.encode(operation.key, 'the key of an operation') }
  }
  throw new TypeError(`operations[${index}].type must be 'put' or 'delete'`)
}

/** Checks where `getInto` is to copy to. Throws `TypeError` or `RangeError`. */
export function checkTarget(target: unknown, offset: unknown): void {
  if (!isBytes(target)) throw new TypeError('target must be a Uint8Array')
  if (typeof offset !== 'number') throw new TypeError('offset must be a number')
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new RangeError('offset must be a whole number, 0 or more')
  }
}
