/**
 * The part of the WebAssembly interface that the kernel's door uses. The compiler has these types only in
 * its browser library, whose hundreds of other globals do not exist here.
 */
declare namespace WebAssembly {
  type ExportValue = ((...args: never[]) => unknown) | Global | Memory
  type Imports = Record<string, Record<string, ExportValue>>

  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer> | ArrayBuffer)
    static imports(module: Module): { module: string; name: string; kind: string }[]
    static exports(module: Module): { name: string; kind: string }[]
  }

  class Instance {
    readonly exports: Record<string, ExportValue>
    constructor(module: Module, imports?: Imports)
  }

  class Memory {
    readonly buffer: ArrayBuffer
    constructor(descriptor: { initial: number; maximum?: number })
    /** Adds pages of 64 KiB and returns how many there were. Every view of the old `buffer` is dead after it. */
    grow(pages: number): number
  }

  class Global<T extends number | bigint = number> {
    value: T
    valueOf(): T
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
}
