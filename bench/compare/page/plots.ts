/** The script of the page of results: draws its plots. Bundled with uPlot into the page when that is made. */
import uPlot from 'uplot'

/** What the page has to draw, in its element `data`. */
interface PlotData {
  readonly engines: readonly string[]
  readonly ours: string
  readonly workloads: readonly string[]
  /** For each engine, nanoseconds for an operation of each workload: median, least and most. */
  readonly ns: readonly (readonly (number | null)[])[]
  readonly least: readonly (readonly (number | null)[])[]
  readonly most: readonly (readonly (number | null)[])[]
  /** For each workload, time of the best rival over ours. */
  readonly ratios: readonly (number | null)[]
  readonly latencies: readonly {
    readonly title: string
    readonly engines: readonly string[]
    /** For each engine p50, p99, p99.9 and the longest, in nanoseconds. */
    readonly ns: readonly (readonly number[])[]
  }[]
}

const COLOURS = ['#0b7285', '#e8590c', '#6741d9', '#c2255c', '#5c940d', '#3bc9db', '#868e96']
const GAIN = '#2b8a3e'
const LOSS = '#c92a2a'
const HEIGHT = 380
const PERCENTILES = ['p50', 'p99', 'p99.9', 'longest']

const data = JSON.parse(document.getElementById('data')!.textContent!) as PlotData
drawRatios(document.getElementById('ratios')!)
drawTimes(document.getElementById('times')!)
for (const [i, one] of data.latencies.entries()) {
  drawLatencies(document.getElementById(`latencies-${i}`)!, one)
}

function widthOf(place: HTMLElement): number {
  return Math.max(480, place.clientWidth)
}

/** Names along the lower edge, turned so that they fit. */
function nameAxis(names: readonly string[], isTurned: boolean): uPlot.Axis {
  return {
    splits: names.map((_, i) => i),
    values: (_plot, splits) => splits.map((at) => names[at] ?? ''),
    grid: { show: false },
    ...(isTurned && { rotate: -60, size: 130 }),
  }
}

/** Powers of ten. */
function decades(_plot: uPlot, _axis: number, min: number, max: number): number[] {
  const ticks: number[] = []
  for (let at = 10 ** Math.floor(Math.log10(min)); at <= max * 1.001; at *= 10) ticks.push(at)
  return ticks
}

function timeAxis(): uPlot.Axis {
  return {
    size: 70,
    splits: decades,
    values: (_plot, splits) => splits.map((ns) => duration(ns)),
    filter: (_plot, splits) => splits as number[],
  }
}

function duration(ns: number): string {
  if (ns >= 1e9) return `${round(ns / 1e9)} s`
  if (ns >= 1e6) return `${round(ns / 1e6)} ms`
  return ns >= 1e3 ? `${round(ns / 1e3)} µs` : `${round(ns)} ns`
}

function round(number: number): string {
  return String(Number(number.toPrecision(3)))
}

/** Bars upwards where we are ahead, downwards where a rival is; logarithmic. */
function drawRatios(place: HTMLElement): void {
  const shown = data.workloads.map((name, i) => ({ name, ratio: data.ratios[i] ?? null }))
  const rows = shown.filter(({ ratio }) => ratio !== null)
  const names = rows.map(({ name }) => name)
  const heights = rows.map(({ ratio }) => Math.log2(ratio!))
  const part = (isGain: boolean): (number | null)[] =>
    heights.map((height) => (height >= 0 === isGain ? height : null))
  const bars = uPlot.paths.bars!({ size: [0.7, 48] })
  const series = (label: string, fill: string): uPlot.Series => ({
    label,
    fill,
    stroke: fill,
    paths: bars,
    points: { show: false },
    value: (_plot, height) => (height == null ? '' : `${round(2 ** height)} ×`),
  })
  const reach = Math.ceil(Math.max(1, ...heights.map(Math.abs)))
  new uPlot(
    {
      width: widthOf(place),
      height: HEIGHT,
      scales: {
        x: { time: false, range: [-0.6, names.length - 0.4] },
        y: { range: [-reach, reach] },
      },
      axes: [
        nameAxis(names, true),
        {
          size: 80,
          values: (_plot, splits) => splits.map((at) => `${round(2 ** at)} ×`),
          incrs: [1, 2],
        },
      ],
      series: [
        { label: 'workload', value: (_plot, at) => names[at] ?? '' },
        series(`${data.ours} is ahead`, GAIN),
        series('a rival is ahead', LOSS),
      ],
    },
    [names.map((_, i) => i), part(true), part(false)],
    place,
  )
}

/** A point for each engine and workload, with a line from its fastest to its slowest round. */
function drawTimes(place: HTMLElement): void {
  const names = data.workloads
  new uPlot(
    {
      width: widthOf(place),
      height: HEIGHT + 120,
      scales: { x: { time: false, range: [-0.6, names.length - 0.4] }, y: { distr: 3 } },
      axes: [nameAxis(names, true), timeAxis()],
      series: [
        { label: 'workload', value: (_plot, at) => names[at] ?? '' },
        ...data.engines.map((label, i) => pointSeries(label, COLOURS[i % COLOURS.length]!)),
      ],
      hooks: { draw: [drawSpreads] },
    },
    [names.map((_, i) => i), ...data.ns.map((times) => [...times])],
    place,
  )
}

function pointSeries(label: string, stroke: string): uPlot.Series {
  return {
    label,
    stroke,
    paths: () => null,
    points: { show: true, size: label === data.ours ? 11 : 7, fill: stroke },
    value: (_plot, ns) => (ns == null ? '' : duration(ns)),
  }
}

function drawSpreads(plot: uPlot): void {
  const { ctx } = plot
  ctx.save()
  ctx.lineWidth = 2
  for (const [engine, least] of data.least.entries()) {
    ctx.strokeStyle = COLOURS[engine % COLOURS.length]!
    if (plot.series[engine + 1]!.show === false) continue
    for (const [at, ns] of least.entries()) {
      const most = data.most[engine]![at]
      if (ns == null || most == null) continue
      const x = plot.valToPos(at, 'x', true)
      ctx.beginPath()
      ctx.moveTo(x, plot.valToPos(ns, 'y', true))
      ctx.lineTo(x, plot.valToPos(most, 'y', true))
      ctx.stroke()
    }
  }
  ctx.restore()
}

function drawLatencies(place: HTMLElement, one: PlotData['latencies'][number]): void {
  new uPlot(
    {
      title: one.title,
      width: Math.max(420, Math.min(620, place.clientWidth)),
      height: HEIGHT - 60,
      scales: { x: { time: false, range: [-0.3, PERCENTILES.length - 0.7] }, y: { distr: 3 } },
      axes: [nameAxis(PERCENTILES, false), timeAxis()],
      series: [
        { label: 'part', value: (_plot, at) => PERCENTILES[at] ?? '' },
        ...one.engines.map((label) => ({
          label,
          stroke: COLOURS[data.engines.indexOf(label) % COLOURS.length]!,
          width: label === data.ours ? 3 : 1.5,
          points: { show: true, size: 7 },
          value: (_plot: uPlot, ns: number | null) => (ns == null ? '' : duration(ns)),
        })),
      ],
    },
    [PERCENTILES.map((_, i) => i), ...one.ns.map((times) => [...times])],
    place,
  )
}
