import { request } from '../api.ts'
import { useData } from '../data.ts'
import { formatCompact, formatPercent } from '../format.ts'
import { place, setQuery } from '../router.ts'
import { may, useSession } from '../session.ts'
import { useStore } from '../store.ts'
import type { Bucket, OverviewAnswer } from '../types.ts'
import { chartOf, outcomeText, RANGES, rangeOf, readUsage, totals } from '../usage.ts'
import { UsageChart } from '../ui/chart.tsx'
import { Segments, type Choice } from '../ui/field.tsx'
import { Bars } from '../ui/gauge.tsx'
import { Page, Section } from '../ui/layout.tsx'
import { Empty, Load, Note, Skeleton } from '../ui/states.tsx'
import {
  ExpiringKeys,
  HealthSection,
  NearQuotas,
  SuspendedKeys,
  TopKeys,
  TopClients,
} from './overview-parts.tsx'

const POLL = 10_000

export function Overview() {
  const { query } = useStore(place)
  const range = rangeOf(query.get('range'))
  const usage = useData(
    may('usage:read') ? `overview/usage/${range}` : null,
    (signal) => readUsage({}, range, 'outcome', signal),
    { poll: POLL, keepsPrevious: true },
  )
  const state = useData(
    may('metrics:read') ? 'overview/state' : null,
    (signal) => request<OverviewAnswer>('GET', 'overview', { signal }),
    { poll: POLL },
  )
  return (
    <Page
      title="Overview"
      name="Overview"
      actions={
        may('usage:read') && (
          <Segments
            label="Time range"
            value={range}
            choices={Object.keys(RANGES).map((name): Choice => [name, name])}
            onChange={(next) => setQuery({ range: next }, { replace: true })}
          />
        )
      }
    >
      {state.data && state.data.health.status !== 'ok' && (
        <Note tone={state.data.health.status === 'down' ? 'problem' : 'warning'}>
          <strong>{state.data.health.status === 'down' ? 'Outage. ' : 'Degraded. '}</strong>
          {state.data.health.problems.join(' ')}
        </Note>
      )}
      {may('usage:read') && (
        <Load
          from={usage}
          waiting={
            <div class="section">
              <Skeleton lines={1} height={300} />
            </div>
          }
        >
          {(buckets) => <Verifies buckets={buckets} range={range} />}
        </Load>
      )}
      <div class="grid">
        {may('usage:read') && (
          <>
            <Section title="Refusals by reason">
              <Load from={usage}>{(buckets) => <Refusals buckets={buckets} />}</Load>
            </Section>
            <TopClients range={range} />
            <TopKeys range={range} />
          </>
        )}
        {may('keys:read') && (
          <>
            <SuspendedKeys />
            <ExpiringKeys />
          </>
        )}
        <NearQuotas quotas={state.data?.quotas} />
      </div>
      {may('metrics:read') && <HealthSection state={state} />}
      <Nothing />
    </Page>
  )
}

function Verifies({ buckets, range }: { buckets: Bucket[]; range: string }) {
  const chart = chartOf(buckets, 'outcome')
  const accepted = chart.series.find(({ name }) => name === 'VALID')?.total ?? 0
  const refused = chart.total - accepted
  const { text, bucket } = RANGES[range]!
  return (
    <div class="stack keeps">
      <dl class="tiles">
        <Tile term="Verifies" value={formatCompact(chart.total)} hint={`in the last ${text}`} />
        <Tile term="Accepted" value={formatCompact(accepted)} />
        <Tile term="Refused" value={formatCompact(refused)} />
        <Tile
          term="Share accepted"
          value={chart.total === 0 ? '–' : formatPercent(accepted / chart.total)}
        />
      </dl>
      <Section title="Verifies by outcome">
        {chart.total === 0 ? (
          <Empty icon="overview" title="Nothing was verified yet">
            Once a client sends a key, its verifies are shown here within seconds.
          </Empty>
        ) : (
          <UsageChart
            chart={chart}
            bucket={bucket}
            label={`Usage of all keys by outcome, last ${text}`}
          />
        )}
      </Section>
    </div>
  )
}

function Tile({ term, value, hint }: { term: string; value: string; hint?: string }) {
  return (
    <div class="tile">
      <dt>{term}</dt>
      <dd class="num">{value}</dd>
      {hint && <dd class="hint">{hint}</dd>}
    </div>
  )
}

function Refusals({ buckets }: { buckets: Bucket[] }) {
  const rows = totals(buckets, ({ outcome }) => outcome ?? '')
    .filter(([outcome]) => outcome !== 'VALID')
    .map(([outcome, value]) => ({ key: outcome, label: outcomeText(outcome), value }))
  return rows.length === 0 ? <p class="muted">Nothing was refused.</p> : <Bars rows={rows} />
}

/** What stands here for who may see none of it. */
function Nothing() {
  const { name } = useSession()
  if (may('usage:read') || may('keys:read') || may('metrics:read')) return null
  return (
    <Empty icon="overview" title={`Welcome, ${name}`}>
      Your permissions show nothing on this page.
    </Empty>
  )
}
