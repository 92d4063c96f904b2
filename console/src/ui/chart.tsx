// Usage over time as stacked bars, with the same figures as a table.

import type uPlot from 'uplot'
import { useEffect, useRef, useState } from 'preact/hooks'
import { formatCompact, formatDateTime, formatNumber } from '../format.ts'
import type { Chart } from '../usage.ts'
import { Button } from './button.tsx'
import { Skeleton } from './states.tsx'

interface UsageChartProps {
  chart: Chart
  /** What it shows, for readers: it begins with `Usage`. */
  label: string
  bucket: 'hour' | 'day'
}

export function UsageChart({ chart, label, bucket }: UsageChartProps) {
  const [showsTable, setShowsTable] = useState(false)
  const { series, times } = chart
  return (
    <div class="chart">
      <div class="legend">
        {series.map(({ name, label, total }, index) => (
          <span key={name} class="legend-item">
            <span class="swatch" style={{ background: `var(${colourOf(name, index)})` }} />
            <bdi>{label}</bdi> <span class="num muted">{formatCompact(total)}</span>
          </span>
        ))}
        <Button
          small
          variant="ghost"
          aria-pressed={showsTable}
          onClick={() => setShowsTable(!showsTable)}
        >
          Table
        </Button>
      </div>
      <div
        class="chart-canvas"
        data-testid="usage-chart"
        role="img"
        aria-label={`${label}: ${summary(chart)}`}
      >
        <Plot chart={chart} bucket={bucket} />
      </div>
      <div
        class={showsTable ? 'table-scroll figures' : 'for-readers'}
        role="group"
        aria-label="Figures of the chart"
        tabIndex={showsTable ? 0 : undefined}
      >
        <table>
          <caption class="for-readers">{label}</caption>
          <thead>
            <tr>
              <th scope="col">Beginning</th>
              {series.map(({ name, label }) => (
                <th key={name} scope="col" class="number">
                  <bdi>{label}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {times.map((time, row) => (
              <tr key={time}>
                <th scope="row">{formatDateTime(new Date(time * 1000))}</th>
                {series.map(({ name, values }) => (
                  <td key={name} class="number">
                    {formatNumber(values[row] ?? 0)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}

function summary({ series, total }: Chart): string {
  if (total === 0) return 'no verifies'
  const parts = series.map(({ label, total }) => `${label} ${formatNumber(total)}`)
  return `${formatNumber(total)} verifies. ${parts.join(', ')}`
}

/** The variable of the colour of a series. What is accepted is always the same. */
const colourOf = (name: string, index: number) =>
  name === 'VALID' ? '--series-0' : `--series-${index % 8}`

function Plot({ chart, bucket }: { chart: Chart; bucket: 'hour' | 'day' }) {
  const host = useRef<HTMLDivElement>(null)
  const [ready, setReady] = useState(false)
  useEffect(() => {
    const element = host.current
    if (!element) return
    let plot: uPlot | undefined
    let ended = false
    const draw = async () => {
      const { default: Plotter } = await import('uplot')
      if (ended) return
      plot?.destroy()
      plot = new Plotter(optionsOf(Plotter, chart, bucket, element), stacked(chart), element)
      setReady(true)
    }
    void draw()
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', draw)
    const resizes = new ResizeObserver(() =>
      plot?.setSize({ width: element.clientWidth, height: element.clientHeight }),
    )
    resizes.observe(element)
    return () => {
      ended = true
      scheme.removeEventListener('change', draw)
      resizes.disconnect()
      plot?.destroy()
    }
  }, [chart, bucket])
  return (
    <div class="plot" ref={host}>
      {!ready && <Skeleton lines={1} height={200} />}
    </div>
  )
}

/** Sums from the bottom up. The highest is drawn first, and the others cover it from below. */
function stacked({ times, series }: Chart): uPlot.AlignedData {
  const sums = Array<number>(times.length).fill(0)
  const columns = series.map(({ values }) => values.map((value, at) => (sums[at]! += value)))
  return [times, ...columns.reverse()]
}

function optionsOf(
  Plotter: typeof uPlot,
  { series, times }: Chart,
  bucket: 'hour' | 'day',
  element: HTMLElement,
): uPlot.Options {
  const style = getComputedStyle(element)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const bars = Plotter.paths.bars!({ size: [0.76, 26], align: 1, radius: 0.12 })
  const font = `11px ${style.fontFamily}`
  const axis = { stroke: colour('--muted'), font, ticks: { show: false } }
  const step = bucket === 'hour' ? 3_600 : 86_400
  const first = times[0] ?? 0
  const last = times.at(-1) ?? 0
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { setScale: false } },
    scales: {
      x: { range: [first, last + step] },
      y: { range: (_plot, _low, high) => [0, Math.max(4, high * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 72,
        gap: 6,
        size: 28,
        incrs: bucket === 'hour' ? HOURS : DAYS,
        values: (_plot, splits) => splits.map((split) => tickText(split, bucket)),
      },
      {
        ...axis,
        grid: { stroke: colour('--line'), width: 1 },
        space: 40,
        gap: 6,
        size: 52,
        incrs: [
          1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7,
          1e8, 1e9,
        ],
        values: (_plot, splits) => splits.map((split) => formatCompact(split)),
      },
    ],
    series: [
      {},
      ...series
        .map(({ name, label }, index) => ({
          label,
          fill: colour(colourOf(name, index)),
          width: 0,
          points: { show: false },
          paths: bars,
        }))
        .reverse(),
    ],
    plugins: [tooltip(series, times)],
  }
}

const HOUR = 3_600
const HOURS = [1, 2, 3, 6, 12, 24, 48, 96].map((count) => count * HOUR)
const DAYS = [1, 2, 7, 14, 28].map((count) => count * 24 * HOUR)

const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

/** The day at its beginning, and the time within it. */
function tickText(seconds: number, bucket: 'hour' | 'day'): string {
  const at = new Date(seconds * 1000)
  return bucket === 'day' || at.getHours() === 0 ? day.format(at) : time.format(at)
}

/** What was counted in the bucket under the pointer. */
function tooltip(series: Chart['series'], times: number[]): uPlot.Plugin {
  const box = document.createElement('div')
  box.className = 'chart-tip'
  box.hidden = true
  return {
    hooks: {
      init: (plot) => void plot.over.append(box),
      setCursor: (plot) => {
        const { idx, left = 0 } = plot.cursor
        const time = idx == null ? undefined : times[idx]
        box.hidden = time === undefined || left < 0
        if (time === undefined || idx == null) return
        const rows = series.filter(({ values }) => (values[idx] ?? 0) > 0)
        box.replaceChildren(
          line('chart-tip-title', formatDateTime(new Date(time * 1000))),
          ...(rows.length > 0
            ? rows.map(({ label, values }) =>
                line('chart-tip-row', label, formatNumber(values[idx] ?? 0)),
              )
            : [line('chart-tip-row', 'No verifies', '')]),
        )
        const isRight = left > plot.over.clientWidth / 2
        box.style.left = isRight ? '' : `${left + 14}px`
        box.style.right = isRight ? `${plot.over.clientWidth - left + 14}px` : ''
      },
    },
  }
}

function line(name: string, ...texts: string[]): HTMLElement {
  const row = document.createElement('div')
  row.className = name
  row.append(
    ...texts.map((text) => {
      const part = document.createElement('bdi')
      part.textContent = text
      return part
    }),
  )
  return row
}
