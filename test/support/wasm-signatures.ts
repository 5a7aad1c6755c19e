/** The types of the functions that a WebAssembly module exports, read from its bytes: no interface tells them. */

const VALUE_TYPES: Readonly<Record<number, string>> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  123: 'v128',
}

/** For each exported function its parameters and results, in their order. */
export function wasmSignatures(module: Uint8Array): Map<string, string[]> {
  let at = 8
  const number = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = module[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const list = <T>(item: () => T): T[] => Array.from({ length: number() }, item)
  const valueType = (): string => VALUE_TYPES[module[at++]!] ?? 'unknown'
  const text = (): string => String.fromCharCode(...list(() => module[at++]!))

  let types: string[][] = []
  let functions: number[] = []
  const signatures = new Map<string, string[]>()
  let imports = 0
  while (at < module.length) {
    const id = module[at++]
    const bytes = number()
    const end = at + bytes
    if (id === 1) {
      types = list(() => {
        at++
        return [...list(valueType), ...list(valueType)]
      })
    } else if (id === 2) {
      // Imported functions come first in the numbering. The kernel imports nothing but functions.
      imports = list(() => {
        const name = [text(), text()]
        at++
        number()
        return name
      }).length
    } else if (id === 3) {
      functions = list(number)
    } else if (id === 7) {
      list(() => {
        const name = text()
        const kind = module[at++]
        const index = number()
        if (kind === 0) signatures.set(name, types[functions[index - imports]!]!)
      })
    }
    at = end
  }
  return signatures
}
