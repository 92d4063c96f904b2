import type { ComponentChildren } from 'preact'
import { formatNumber, formatPercent } from '../format.ts'

interface GaugeProps {
  label: string
  used: number
  of: number
  /** What stands below it. */
  hint?: ComponentChildren
  unit?: string
}

/** How much of something is used. */
export function Gauge({ label, used, of, hint, unit = '' }: GaugeProps) {
  const share = of > 0 ? Math.max(0, Math.min(1, used / of)) : used > 0 ? 1 : 0
  const tone = share >= 1 ? 'full' : share >= 0.8 ? 'near' : ''
  return (
    <div class="gauge">
      <div class="gauge-text">
        <span class="gauge-label">
          <bdi>{label}</bdi>
        </span>
        <span class="num">
          {formatNumber(used)}{' '}
          <span class="muted">
            of {formatNumber(of)}
            {unit}
          </span>
        </span>
      </div>
      <div
        class={`gauge-track ${tone}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(of, 1)}
        aria-valuenow={Math.max(0, Math.min(used, Math.max(of, 1)))}
        aria-valuetext={`${formatNumber(used)} of ${formatNumber(of)}${unit}, ${formatPercent(share)}`}
      >
        <div style={{ width: `${share * 100}%` }} />
      </div>
      {hint && <p class="hint">{hint}</p>}
    </div>
  )
}

/** Names with amounts, the largest first, each with a bar of its share. */
export function Bars({
  rows,
}: {
  rows: { key: string; label: ComponentChildren; value: number }[]
}) {
  const most = Math.max(1, ...rows.map(({ value }) => value))
  return (
    <ol class="bars">
      {rows.map(({ key, label, value }) => (
        <li key={key}>
          <div class="bar" style={{ width: `${(value / most) * 100}%` }} aria-hidden="true" />
          <span class="bar-label">{label}</span>
          <span class="num">{formatNumber(value)}</span>
        </li>
      ))}
    </ol>
  )
}
