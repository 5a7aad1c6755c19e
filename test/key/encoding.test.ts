import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { SedgeError } from '../../src/errors.ts'
import { codecFor, encodePlain, isBytes } from '../../src/key/encoding.ts'

const bytes = Uint8Array.of(1, 2, 255)

describe('key/encoding', () => {
  it('passes strings and bytes on as they are, whatever comes out [API-2]', () => {
    for (const name of ['utf8', 'binary', 'buffer']) {
      for (const role of ['key', 'value'] as const) {
        const codec = codecFor(name, role)
        expect(codec.form).to.equal(name)
        expect(codec.decode).to.equal(undefined)
        expect(codec.encode('häß€😀\0', 'key')).to.equal('häß€😀\0')
        expect(codec.encode('', 'key')).to.equal('')
        expect(codec.encode(bytes, 'key')).to.equal(bytes)
        const buffer = Buffer.from('abc')
        expect(codec.encode(buffer, 'key')).to.equal(buffer)
      }
    }
  })

  it('takes bytes of other realms and of shared and resizable memory [API-2]', () => {
    const foreign: unknown = runInNewContext('Uint8Array.of(7, 8)')
    expect(foreign).not.to.be.instanceOf(Uint8Array)
    expect(encodePlain(foreign, 'key')).to.equal(foreign)
    const shared = new Uint8Array(new SharedArrayBuffer(2))
    expect(encodePlain(shared, 'key')).to.equal(shared)
    const resizable = new Uint8Array(Reflect.construct(ArrayBuffer, [2, { maxByteLength: 4 }]))
    expect(encodePlain(resizable, 'key')).to.equal(resizable)
  })

  it('refuses every other type, naming the argument [ERR-2]', () => {
    const wrong = [undefined, null, 1, 1n, true, {}, [1], Symbol('x'), () => {}, new Date()]
    const views = [new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), new Uint16Array(1)]
    const fakes = [Object.create(Uint8Array.prototype), new Uint8ClampedArray(1), new Int8Array(1)]
    for (const value of [...wrong, ...views, ...fakes]) {
      const run = (): unknown => codecFor('utf8', 'key').encode(value, 'the thing')
      expect(run).to.throw(TypeError, /^the thing must be a string or a Uint8Array$/)
      expect(isBytes(value)).to.equal(false)
    }
  })

  it('refuses bytes whose length is another than they say, before they run over what lies behind [API-27, ERR-2]', () => {
    class Halved extends Uint8Array {
      override get length(): number {
        return super.length / 2
      }
    }
    const lengthened = Object.defineProperty(new Uint8Array(2), 'length', { value: 100 })
    const shortened = Object.defineProperty(Buffer.alloc(60_000), 'length', { value: 4 })
    for (const value of [lengthened, shortened, new Halved(8)]) {
      const refused = /^the thing must be a string or a Uint8Array$/
      for (const role of ['key', 'value'] as const) {
        expect(() => codecFor('binary', role).encode(value, 'the thing')).to.throw(refused)
        const custom = codecFor({ encode: () => value, decode: () => '' }, role)
        expect(() => custom.encode(1, 'the thing')).to.throw(TypeError)
      }
      expect(isBytes(value)).to.equal(false)
    }
    const named = class extends Uint8Array {}
    expect(encodePlain(named.of(1, 2), 'key')).to.deep.equal(named.of(1, 2))
  })

  it('refuses lone surrogates, without showing them [API-6, ERR-3]', () => {
    for (const text of ['\ud800', 'secret\udc00', '\udc00\ud800', 'x\ud83d']) {
      const run = (): unknown => encodePlain(text, 'key')
      expect(run).to.throw(TypeError, /^key must not contain a lone surrogate$/)
    }
    expect(encodePlain('😀', 'key')).to.equal('😀')
    const custom = codecFor({ encode: () => '\ud800', decode: () => '' }, 'value')
    expect(() => custom.encode(1, 'value')).to.throw(TypeError, /valueEncoding\.encode/)
  })

  it('refuses a value whose memory was taken away, but not an empty one [LIM-7]', () => {
    const detached = new Uint8Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const value = codecFor('binary', 'value')
    expect(() => value.encode(detached, 'value')).to.throw(TypeError, /^value .*memory/)

    const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 8 }])
    const beyond = new Uint8Array(buffer, 4, 4)
    ;(buffer as unknown as { resize(size: number): void }).resize(2)
    expect(() => value.encode(beyond, 'value')).to.throw(TypeError, /^value .*memory/)

    const empty = new Uint8Array(0)
    expect(value.encode(empty, 'value')).to.equal(empty)
    const key = codecFor('binary', 'key').encode(detached, 'key')
    expect(key.length).to.equal(0)
  })

  it('turns json into text and back [API-3]', () => {
    const codec = codecFor('json', 'value')
    expect(codec.form).to.equal('utf8')
    const samples = [null, true, 0, -1.5, 'x', '\ud800', [], [1, [2]], { a: { b: 'ü' } }]
    for (const sample of samples) {
      const text = codec.encode(sample, 'value') as string
      expect(codec.decode?.(text)).to.deep.equal(sample)
      expect(Buffer.from(text).toString(), 'well formed').to.equal(text)
    }
    expect(codec.encode({ toJSON: () => 7 }, 'value')).to.equal('7')
  })

  it('refuses what has no json form [API-3]', () => {
    const codec = codecFor('json', 'value')
    for (const value of [undefined, () => {}, Symbol('x'), { toJSON: () => undefined }]) {
      expect(() => codec.encode(value, 'value')).to.throw(TypeError, /^value must have a JSON form/)
    }
    expect(() => codec.encode(1n, 'value')).to.throw(TypeError)
  })

  it('reports text that is not json, without showing it [ERR-3, ERR-5]', () => {
    const decode = codecFor('json', 'value').decode!
    const error = caught(() => decode('{"secret": tr'))
    expect(error).to.be.instanceOf(SedgeError)
    expect(error.code).to.equal('FORMAT')
    expect(error.cause).to.equal(undefined)
    expect(String(error)).not.to.contain('secret')
  })

  it('calls an encoding of the caller as a method [API-4]', () => {
    const doubled = {
      factor: 2,
      encode(value: number): Uint8Array {
        return Uint8Array.of(value * this.factor)
      },
      decode(stored: Uint8Array): number {
        return stored[0]! / this.factor
      },
    }
    const codec = codecFor(doubled, 'value')
    expect(codec.form).to.equal('binary')
    expect(codec.encode(21, 'value')).to.deep.equal(Uint8Array.of(42))
    expect(codec.decode?.(Uint8Array.of(42))).to.equal(21)
  })

  it('copies what an encoder returns, which may use one buffer again and again [API-4]', () => {
    const scratch = new Uint8Array(1)
    const encode = (value: number): Uint8Array => {
      scratch[0] = value
      return scratch
    }
    const codec = codecFor({ encode, decode: () => 0 }, 'key')
    const first = codec.encode(1, 'key')
    codec.encode(2, 'key')
    expect(first).to.deep.equal(Uint8Array.of(1))
  })

  it('refuses what an encoder must not return, naming the encoding [ERR-2]', () => {
    for (const result of [undefined, null, 1, new ArrayBuffer(1)]) {
      const codec = codecFor({ encode: () => result, decode: () => 0 }, 'key')
      expect(() => codec.encode(1, 'key')).to.throw(TypeError, /keyEncoding\.encode/)
    }
  })

  it('lets through what an encoder throws, and wraps what a decoder throws [API-20, ERR-5]', () => {
    const problem = new Error('mine')
    const fail = (): never => {
      throw problem
    }
    const codec = codecFor({ encode: fail, decode: fail }, 'value')
    expect(() => codec.encode(1, 'value')).to.throw(problem)
    const error = caught(() => codec.decode?.(bytes))
    expect(error.code).to.equal('FORMAT')
    expect(error.cause).to.equal(problem)
  })

  it('refuses encodings that are none [ERR-2, OPT-1]', () => {
    for (const name of ['utf-8', 'UTF8', '', '__proto__', 'constructor', 'toString']) {
      expect(() => codecFor(name, 'key'), name).to.throw(RangeError, /keyEncoding/)
    }
    for (const wrong of [1, null, {}, { encode: () => '' }, { decode: () => '' }, () => {}]) {
      expect(() => codecFor(wrong, 'value')).to.throw(TypeError, /valueEncoding/)
    }
  })
})

function caught(run: () => unknown): SedgeError {
  try {
    run()
  } catch (error) {
    return error as SedgeError
  }
  throw new Error('nothing was thrown')
}
