/**
 * Encodings: how keys and values become bytes and come back [API-2].
 *
 *   'utf8'    string            in: string or Uint8Array
 *   'binary'  Uint8Array        in: string or Uint8Array (never a Buffer out)
 *   'buffer'  Buffer            in: string or Uint8Array
 *   'json'    anything in JSON  in: anything that JSON.stringify accepts
 *   { encode, decode }          the caller's own
 *
 * A `Codec` is a resolved encoding. Its `encode` gives what the store below takes: bytes, or a string that
 * stands for its UTF-8 bytes. Encoders and decoders are the caller's code and may throw or call the store.
 */
import { SedgeError } from '../errors.ts'
import { isWellFormed } from '../util/bytes.ts'

/** A key or value in encoded form. A string stands for its UTF-8 bytes and has no lone surrogates. */
export type Encoded = string | Uint8Array

/** How bytes come out: a string decoded as UTF-8, a plain `Uint8Array`, or a `Buffer`. All are the caller's. */
export type ResultForm = 'utf8' | 'binary' | 'buffer'

/** What comes out of each named encoding. */
export interface NamedEncodings {
  utf8: string
  binary: Uint8Array
  buffer: Buffer
  json: unknown
}

export type EncodingName = keyof NamedEncodings

/**
 * An encoding of the caller's own.
 *
 * For keys, unsigned byte order of what `encode` returns is the order of the store, and equal keys must
 * encode to equal bytes. What `encode` returns is copied at once; what `decode` gets is its own to keep.
 */
export interface Encoding<T> {
  encode(value: T): string | Uint8Array
  decode(bytes: Uint8Array): T
}

/** Any encoding at all: the bound of type parameters. */
export type AnyEncoding =
  | EncodingName
  | { encode(value: never): string | Uint8Array; decode(bytes: Uint8Array): unknown }

/** The type that comes out of encoding `E`. */
export type Decoded<E> = E extends EncodingName
  ? NamedEncodings[E]
  : E extends { decode(bytes: Uint8Array): infer T }
    ? T
    : never

/** The type that goes into encoding `E`. */
export type Encodable<E> = E extends 'json'
  ? unknown
  : E extends EncodingName
    ? string | Uint8Array
    : E extends { encode(value: infer T): unknown }
      ? T
      : never

/** What may go in where `T` comes out of a store: strings and bytes stand for each other. */
export type Input<T> =
  // Said apart, so that a `T` fits where it is still a parameter of the caller's function.
  | T
  | ([T] extends [string]
      ? [string] extends [T]
        ? string | Uint8Array
        : never
      : [T] extends [Uint8Array]
        ? string | Uint8Array
        : never)

/** What comes out of a call that overrides the encoding by `E`; `undefined`: the store's own type `T`. */
export type Out<E, T> = [E] extends [undefined] ? T : Decoded<E>

/** What goes into a call that overrides the encoding by `E`; `undefined`: the store's own type `T`. */
export type In<E, T> = [E] extends [undefined] ? Input<T> : Encodable<E>

/** A resolved encoding, for keys or for values. */
export interface Codec {
  /** What to ask the engine for. */
  readonly form: ResultForm
  /** Throws `TypeError` naming `argument`, or whatever the caller's encoder throws. */
  readonly encode: (value: unknown, argument: string) => Encoded
  /** From `form` to what the caller gets; `undefined` where they are the same. */
  readonly decode: ((stored: string | Uint8Array) => unknown) | undefined
}

/** What a codec is for. */
export type CodecRole = 'key' | 'value'

/** The codec for an encoding. Throws `TypeError` or `RangeError` naming the option `<role>Encoding`. */
export function codecFor(encoding: unknown, role: CodecRole): Codec {
  if (typeof encoding === 'string') {
    const codec = NAMED[role].get(encoding)
    if (codec !== undefined) return codec
    throw new RangeError(`${role}Encoding must be 'utf8', 'binary', 'buffer', 'json' or an object`)
  }
  if (!isCustom(encoding)) {
    throw new TypeError(`${role}Encoding must be a name or an object with encode and decode`)
  }
  return customCodec(encoding, role)
}

/**
 * Strings and bytes as they are, for keys, values and bounds.
 *
 * Throws `TypeError` naming `argument` for any other type and for a string with a lone surrogate, whose
 * UTF-8 form would be that of another string.
 */
export function encodePlain(value: unknown, argument: string): Encoded {
  if (typeof value === 'string') {
    if (isWellFormed(value)) return value
    throw new TypeError(`${argument} must not contain a lone surrogate`)
  }
  if (isBytes(value)) return value
  throw new TypeError(`${argument} must be a string or a Uint8Array`)
}

/**
 * True for a `Uint8Array`, a `Buffer` among them, of this or another realm, unless its property `length` is not how long it is: room is
 * made by that property, and bytes are copied without it.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return (
    arrayTag.call(value) === 'Uint8Array' &&
    (value as Uint8Array).length === arrayLength.call(value)
  )
}

// The getters read internal slots: they cannot be fooled and work across realms.
const arrayTag = arrayGetter(Symbol.toStringTag) as (this: unknown) => string | undefined
const arrayLength = arrayGetter('length') as (this: unknown) => number

function arrayGetter(name: string | symbol): unknown {
  const array = Object.getPrototypeOf(Uint8Array.prototype) as object
  return Object.getOwnPropertyDescriptor(array, name)?.get
}

const NAMED: Readonly<Record<CodecRole, ReadonlyMap<string, Codec>>> = {
  key: namedCodecs('key'),
  value: namedCodecs('value'),
}

function namedCodecs(role: CodecRole): Map<string, Codec> {
  const plain = role === 'key' ? encodePlain : encodePlainValue
  return new Map<EncodingName, Codec>([
    ['utf8', { form: 'utf8', encode: plain, decode: undefined }],
    ['binary', { form: 'binary', encode: plain, decode: undefined }],
    ['buffer', { form: 'buffer', encode: plain, decode: undefined }],
    ['json', { form: 'utf8', encode: encodeJson, decode: decodeJson(role) }],
  ])
}

function encodePlainValue(value: unknown, argument: string): Encoded {
  const encoded = encodePlain(value, argument)
  if (encoded.length === 0 && typeof encoded !== 'string') requireMemory(encoded, argument)
  return encoded
}

/** A view whose buffer was detached or shrunk reads as empty: it must not be stored as an empty value. Throws `TypeError` naming `argument`. */
export function requireMemory(bytes: Uint8Array, argument: string): void {
  try {
    Uint8Array.prototype.at.call(bytes, 0)
  } catch (cause) {
    throw new TypeError(`${argument} must be a view of memory that is still there`, { cause })
  }
}

function encodeJson(value: unknown, argument: string): Encoded {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError(`${argument} must have a JSON form`)
  return text
}

function decodeJson(role: CodecRole): (stored: string | Uint8Array) => unknown {
  return (stored) => {
    try {
      return JSON.parse(stored as string)
    } catch {
      // The parser's message quotes the text, which belongs in no log: no cause.
      throw new SedgeError('FORMAT', `a stored ${role} is not valid JSON`)
    }
  }
}

function isCustom(encoding: unknown): encoding is Encoding<unknown> {
  if (typeof encoding !== 'object' || encoding === null) return false
  const { encode, decode } = encoding as Partial<Encoding<unknown>>
  return typeof encode === 'function' && typeof decode === 'function'
}

function customCodec(encoding: Encoding<unknown>, role: CodecRole): Codec {
  return {
    form: 'binary',
    encode(value) {
      const encoded: unknown = encoding.encode(value)
      const plain = encodePlain(encoded, `what ${role}Encoding.encode returns`)
      // An encoder may use one buffer again and again.
      return typeof plain === 'string' ? plain : new Uint8Array(plain)
    },
    decode(stored) {
      try {
        return encoding.decode(stored as Uint8Array)
      } catch (cause) {
        throw new SedgeError('FORMAT', `${role}Encoding.decode failed`, { cause })
      }
    },
  }
}
