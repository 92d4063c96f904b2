// The lists of the overview.

import type { ComponentChildren } from 'preact'
import { address } from '../address.ts'
import { page, request } from '../api.ts'
import { useData, type Loaded } from '../data.ts'
import { may } from '../session.ts'
import type { Key, NearQuota, OverviewAnswer } from '../types.ts'
import { readUsage, totals } from '../usage.ts'
import { Status } from '../ui/badge.tsx'
import { LinkButton } from '../ui/button.tsx'
import { Bars, Gauge } from '../ui/gauge.tsx'
import { Section } from '../ui/layout.tsx'
import { Load } from '../ui/states.tsx'
import { ClientLink, KeyLink, Time } from '../ui/text.tsx'

const POLL = 20_000
const SHOWN = 6

export function TopClients({ range }: { range: string }) {
  const top = useData(
    `overview/clients/${range}`,
    async (signal) =>
      totals(
        await readUsage({}, range, 'clientId', signal),
        ({ clientId }) => clientId ?? '',
      ).slice(0, SHOWN),
    { poll: POLL, keepsPrevious: true },
  )
  return (
    <Section title="Top clients">
      <TopList from={top}>{(clientId) => <ClientLink clientId={clientId} />}</TopList>
    </Section>
  )
}

export function TopKeys({ range }: { range: string }) {
  const top = useData(
    `overview/keys/${range}`,
    async (signal) =>
      totals(await readUsage({}, range, 'keyId', signal), ({ keyId }) => keyId ?? '').slice(
        0,
        SHOWN,
      ),
    { poll: POLL, keepsPrevious: true },
  )
  const names = useNames(top.data?.map(([id]) => id) ?? [])
  return (
    <Section title="Top keys">
      <TopList from={top}>{(id) => <KeyLink id={id} name={names.get(id) ?? id} />}</TopList>
    </Section>
  )
}

/** More groups than the server counts at once are no fault of anybody. */
function TopList(props: {
  from: Loaded<[string, number][]>
  children: (name: string) => ComponentChildren
}) {
  const { from, children } = props
  if (from.error?.code === 'INVALID_INPUT')
    return (
      <p class="muted">More were used in this time than can be ranked. Choose a shorter range.</p>
    )
  return (
    <Load from={from}>
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">Nothing was verified.</p>
        ) : (
          <Bars rows={rows.map(([name, value]) => ({ key: name, label: children(name), value }))} />
        )
      }
    </Load>
  )
}

/** The names of keys. One that is deleted has none. */
function useNames(ids: string[]): Map<string, string> {
  const names = useData(
    may('keys:read') && ids.length > 0 ? `overview/names/${ids.join()}` : null,
    async (signal) => {
      const keys = await Promise.all(
        ids.map((id) => request<Key>('GET', `keys/${id}`, { signal }).catch(() => null)),
      )
      return keys.filter((key) => key !== null).map(({ id, name }): [string, string] => [id, name])
    },
    { keepsPrevious: true },
  )
  return new Map(names.data)
}

export function SuspendedKeys() {
  const keys = useKeys('suspended', { status: 'suspended' })
  return (
    <KeyList
      title="Suspended keys"
      from={keys}
      query={{ status: 'suspended' }}
      none="No key is suspended."
    >
      {({ suspendedUntil }) => (
        <>
          lifted <Time at={suspendedUntil} ago />
        </>
      )}
    </KeyList>
  )
}

const DAY = 86_400_000

export function ExpiringKeys() {
  const expiresBefore = new Date(Math.ceil(Date.now() / DAY) * DAY + 30 * DAY).toISOString()
  const query = { status: 'active', expiresBefore, sort: 'expiresAt', order: 'asc' }
  const keys = useKeys('expiring', query)
  return (
    <KeyList
      title="Keys that expire soon"
      from={keys}
      query={query}
      none="No key expires within 30 days."
    >
      {({ expiresAt }) => <Time at={expiresAt} ago />}
    </KeyList>
  )
}

const useKeys = (name: string, query: Record<string, string>) =>
  useData(
    `overview/${name}`,
    async (signal) => (await page<Key>('keys', { query: { ...query, limit: SHOWN }, signal })).rows,
    { poll: POLL },
  )

function KeyList(props: {
  title: string
  from: Loaded<Key[]>
  query: Record<string, string>
  none: string
  children: (key: Key) => ComponentChildren
}) {
  const { title, from, query, none, children } = props
  return (
    <Section
      title={title}
      actions={
        (from.data?.length ?? 0) > 0 && (
          <LinkButton small variant="ghost" href={address(['keys'], query)}>
            Show all
          </LinkButton>
        )
      }
    >
      <Load from={from}>
        {(keys) =>
          keys.length === 0 ? (
            <p class="muted">{none}</p>
          ) : (
            <ul class="lines">
              {keys.map((key) => (
                <li key={key.id}>
                  <KeyLink id={key.id} name={key.name} />
                  <span class="muted">{children(key)}</span>
                </li>
              ))}
            </ul>
          )
        }
      </Load>
    </Section>
  )
}

export function NearQuotas({ quotas }: { quotas: NearQuota[] | null | undefined }) {
  if (!quotas) return null
  return (
    <Section title="Quotas near their end">
      {quotas.length === 0 ? (
        <p class="muted">No quota is near its end.</p>
      ) : (
        quotas.map(({ keyId, clientId, name, used, remaining, resetsAt }) => (
          <Gauge
            key={`${keyId}${clientId}${name}`}
            label={name}
            used={used}
            of={used + remaining}
            hint={
              <>
                {clientId ? (
                  <ClientLink clientId={clientId} />
                ) : (
                  keyId && <KeyLink id={keyId} name={keyId} />
                )}
                {resetsAt && (
                  <>
                    {' '}
                    · refilled <Time at={resetsAt} ago />
                  </>
                )}
              </>
            }
          />
        ))
      )}
    </Section>
  )
}

export function HealthSection({ state }: { state: Loaded<OverviewAnswer> }) {
  return (
    <Section title="Health" hint="What doctor finds in the configuration and the database.">
      <Load from={state}>
        {({ health, findings }) => {
          const open = findings.filter(({ status }) => status !== 'ok')
          const fine = findings.filter(({ status }) => status === 'ok')
          return (
            <>
              <p class="lead" style={{ marginBottom: '10px' }}>
                <Status status={health.status} />
                {health.problems.length === 0 &&
                  open.length === 0 &&
                  'Everything is as it should be.'}
              </p>
              <ul class="findings">
                {open.map((finding) => (
                  <FindingItem key={finding.check + finding.message} finding={finding} />
                ))}
              </ul>
              {fine.length > 0 && (
                <details>
                  <summary>{fine.length} checks passed</summary>
                  <ul class="findings">
                    {fine.map((finding) => (
                      <FindingItem key={finding.check + finding.message} finding={finding} />
                    ))}
                  </ul>
                </details>
              )}
            </>
          )
        }}
      </Load>
    </Section>
  )
}

function FindingItem({ finding }: { finding: OverviewAnswer['findings'][number] }) {
  const { status, check, message, remedy, sql } = finding
  return (
    <li>
      <Status status={status} />
      <div>
        <strong>{check}</strong>: <bdi>{message}</bdi>
        {remedy && (
          <div class="hint">
            <bdi>{remedy}</bdi>
          </div>
        )}
        {sql && <pre>{sql}</pre>}
      </div>
    </li>
  )
}
