/**
 * Reading the options that callers pass in.
 *
 * Only an object's own properties count: a name that somebody has put on `Object.prototype` must not turn
 * a write into a synced one. An option that is `undefined` is as good as absent.
 */

/** The option `name`, or `undefined` when `options` has no such property of its own. */
export function ownOption(options: object, name: string): unknown {
  return ownValue(options, name, (options as Record<string, unknown>)[name])
}

/** As `ownOption`, of the `value` that is found under a name which is written out: there the runtime knows where to look. */
export function ownValue(options: object, name: string, value: unknown): unknown {
  // In this order, because most options are absent, and to ask whether they are costs more than to look.
  return value === undefined || Object.hasOwn(options, name) ? value : undefined
}

/** Returns `options` as an object. Throws `TypeError` naming `argument` for anything else. */
export function optionsObject(options: unknown, argument = 'options'): object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${argument} must be an object`)
  }
  return options
}

/** As `optionsObject`, with no options at all for `undefined`. */
export function optionalOptions(options: unknown, argument = 'options'): object {
  return options === undefined ? NONE : optionsObject(options, argument)
}

const NONE: object = Object.freeze({})

/**
 * As `optionalOptions`, for calls that would do too much if they did not see an option: a name that is not among `names` is a
 * `RangeError`, and anything but a plain object, whose options might not be its own properties, a `TypeError`.
 */
export function plainOptions(given: unknown, argument: string, names: readonly string[]): object {
  const options = optionalOptions(given, argument)
  if (!isPlain(options)) throw new TypeError(`${argument} must be a plain object`)
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new RangeError(`${argument} has no option named '${name}'`)
  }
  return options
}

/** An object of a literal, of this or another realm, or one without a prototype. */
function isPlain(options: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(options)
  if (prototype === null || prototype === Object.prototype) return true
  return Object.hasOwn(prototype as object, 'isPrototypeOf')
}

/** A boolean option, or `undefined`. Throws `TypeError`. */
export function booleanOption(options: object, name: string): boolean | undefined {
  const value = ownOption(options, name)
  if (value !== undefined && typeof value !== 'boolean') {
    throw new TypeError(`${name} must be a boolean`)
  }
  return value
}

/** An option that is one of a few strings, or `undefined`. Throws `TypeError` or `RangeError`. */
export function choiceOption<T extends string>(
  options: object,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = ownOption(options, name)
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`)
  const choice = choices.find((one) => one === value)
  if (choice === undefined) {
    throw new RangeError(`${name} must be one of ${choices.map((one) => `'${one}'`).join(', ')}`)
  }
  return choice
}

/** A whole number from `least` to `most`, or `undefined`. Throws `TypeError` or `RangeError`. */
export function wholeOption(
  options: object,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const value = ownOption(options, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}`)
  }
  return value
}

/** A function, or `undefined`. Throws `TypeError`. */
export function functionOption<T extends (...args: never[]) => unknown>(
  options: object,
  name: string,
): T | undefined {
  const value = ownOption(options, name)
  if (value !== undefined && typeof value !== 'function') {
    throw new TypeError(`${name} must be a function`)
  }
  return value as T | undefined
}
