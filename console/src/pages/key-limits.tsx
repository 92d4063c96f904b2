// The limits and quotas of a key and of its client, as gauges.

import { request } from '../api.ts'
import { useData } from '../data.ts'
import { formatDuration, formatNumber } from '../format.ts'
import { may } from '../session.ts'
import type { Bucket, ClientRow, Key, Limit, Quota, QuotaRule } from '../types.ts'
import { Gauge } from '../ui/gauge.tsx'
import { Section } from '../ui/layout.tsx'
import { Time } from '../ui/text.tsx'

const POLL = 10_000

export function KeyLimits({ apiKey }: { apiKey: Key }) {
  const { id, rateLimit, rateLimitWindowSeconds, limits = [], quotas = [] } = apiKey
  const client = useClient(apiKey.clientId)
  const first =
    rateLimit === null
      ? []
      : [{ name: 'default', limit: rateLimit, windowSeconds: rateLimitWindowSeconds ?? 60 }]
  const own = [...first, ...limits]
  const none = own.length + quotas.length === 0 && !hasRules(client)
  return (
    <Section title="Limits and quotas">
      {none && <p class="muted">Nothing limits this key.</p>}
      <LimitGauges of={{ keyId: id }} limits={own} />
      <QuotaGauges of={{ keyId: id }} quotas={quotas} />
      {client && hasRules(client) && (
        <>
          <h3 style={{ margin: '18px 0 10px' }}>Shared with the other keys of its client</h3>
          <LimitGauges of={{ clientId: client.clientId }} limits={client.limits ?? []} />
          <QuotaGauges of={{ clientId: client.clientId }} quotas={client.quotas ?? []} />
        </>
      )}
    </Section>
  )
}

const hasRules = (client: ClientRow | undefined | null) =>
  Boolean(client && (client.limits?.length || client.quotas?.length))

/** The settings of a client. One without a row has none. */
function useClient(clientId: string): ClientRow | undefined | null {
  return useData(may('clients:read') ? `client/${clientId}` : null, (signal) =>
    readClient(clientId, signal),
  ).data
}

/** The list is searched, since a client that has no row is no error here. */
export async function readClient(clientId: string, signal: AbortSignal): Promise<ClientRow | null> {
  const search = [...clientId].length < 3 ? undefined : clientId
  const query = { search, limit: 1000 }
  const found = await request<ClientRow[]>('GET', 'clients', { query, signal })
  return found.find((client) => client.clientId === clientId) ?? null
}

type Owner = { keyId: string } | { clientId: string }

/**
 * What the last hour used of each limit, on average. What is left at this moment only the processes know that verify, and they say it
 * of a key that is presented.
 */
export function LimitGauges({ of, limits }: { of: Owner; limits: readonly Limit[] }) {
  const usage = useData(
    limits.length > 0 && may('usage:read') ? `usage/hour/${JSON.stringify(of)}` : null,
    async (signal) => {
      const to = new Date()
      const from = new Date(to.getTime() - 1_000)
      const query = { ...of, from: from.toISOString(), to: to.toISOString(), bucket: 'hour' }
      return request<Bucket[]>('GET', 'usage', { query, signal })
    },
    { poll: POLL },
  )
  const bucket = usage.data?.at(-1)
  const seconds = bucket ? Math.max(60, (Date.now() - Date.parse(bucket.start)) / 1000) : 3_600
  return (
    <>
      {limits.map(({ name, limit, windowSeconds, suspends }) => {
        const average = bucket ? Math.round((bucket.count / seconds) * windowSeconds) : 0
        return (
          <Gauge
            key={name}
            label={name === 'default' ? 'Rate limit' : name}
            used={Math.min(average, limit)}
            of={limit}
            unit={` per ${formatDuration(windowSeconds).replace(/^1 /, '')}`}
            hint={`On average in this hour${suspends ? '. Who exceeds it is suspended' : ''}`}
          />
        )
      })}
    </>
  )
}

export function QuotaGauges({ of, quotas }: { of: Owner; quotas: readonly QuotaRule[] }) {
  return (
    <>
      {quotas.map((quota) => (
        <QuotaGauge key={quota.name} of={of} rule={quota} />
      ))}
    </>
  )
}

function QuotaGauge({ of, rule }: { of: Owner; rule: QuotaRule }) {
  const { data } = useData(
    may('quotas:read') ? `quota/${JSON.stringify(of)}/${rule.name}` : null,
    (signal) => request<Quota>('GET', 'quotas', { query: { ...of, name: rule.name }, signal }),
    { poll: POLL },
  )
  const period = rule.period === 'total' ? ' in total' : ` per ${rule.period}`
  if (!data)
    return (
      <p>
        <bdi>{rule.name}</bdi>: {formatNumber(rule.amount)}
        {period}
      </p>
    )
  return (
    <Gauge
      label={rule.name}
      used={data.used}
      of={data.used + data.remaining}
      unit={period}
      hint={
        <>
          {formatNumber(data.remaining)} left
          {data.granted > 0 && `, ${formatNumber(data.granted)} of them granted`}
          {data.resetsAt && (
            <>
              . Refilled <Time at={data.resetsAt} ago />
            </>
          )}
        </>
      }
    />
  )
}
