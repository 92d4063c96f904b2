// Entries of the audit log.

import { address } from '../address.ts'
import { request } from '../api.ts'
import { changesOf, details, entryText } from '../audit.ts'
import { useData } from '../data.ts'
import { formatNumber, httpLink, inWords } from '../format.ts'
import type { AuditEntry } from '../types.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { LinkButton } from '../ui/button.tsx'
import { Section } from '../ui/layout.tsx'
import { Empty, Load } from '../ui/states.tsx'
import { ClientLink, KeyLink, Text, Time } from '../ui/text.tsx'

export interface AuditAnswer {
  events: AuditEntry[]
  nextCursor: string | null
}

const POLL = 10_000
const SHOWN = 12

export function AuditTrail({ keyId }: { keyId: string }) {
  const trail = useData(
    `audit/${keyId}`,
    (signal) =>
      request<AuditAnswer>('GET', 'keys/audit', { query: { keyId, limit: SHOWN }, signal }),
    { poll: POLL },
  )
  return (
    <Section
      title="Audit trail"
      actions={
        <LinkButton small href={address(['audit-log'], { keyId })}>
          All entries
        </LinkButton>
      }
    >
      <Load from={trail}>
        {({ events }) =>
          events.length === 0 ? (
            <Empty icon="audit" title="Nothing yet" />
          ) : (
            <ol class="entries">
              {events.map((entry) => (
                <li key={entry.id}>
                  <div class="entry-head">
                    <strong>{entryText(entry)}</strong>
                    <span class="muted">
                      <Time at={entry.at} ago />
                    </span>
                  </div>
                  <EntryText entry={entry} />
                </li>
              ))}
            </ol>
          )
        }
      </Load>
    </Section>
  )
}

/** Who did it, what was changed, and what else is known. */
export function EntryText({ entry }: { entry: AuditEntry }) {
  const { actor, count } = entry
  const changes = changesOf(entry)
  const more = details(entry)
  return (
    <div class="entry-what">
      {typeof actor === 'string' && (
        <span>
          by <Text>{actor}</Text>
          {more.length > 0 || changes.length > 0 ? ' · ' : ''}
        </span>
      )}
      {count > 1 && <span class="num">{formatNumber(count)} times · </span>}
      {more.map(([name, value], index) => (
        <span key={name}>
          {index > 0 && ' · '}
          {inWords(name.replaceAll(/([A-Z])/g, ' $1'))}: <Value name={name} value={value} />
        </span>
      ))}
      {changes.length > 0 && (
        <span>
          {more.length > 0 && ' · '}
          {changes.map(([field, before, after], index) => (
            <span key={field}>
              {index > 0 && ', '}
              <span class="changed-field">{inWords(field.replaceAll(/([A-Z])/g, ' $1'))}</span>
              {after !== '' && (
                <>
                  : <Changed text={before} /> → <Changed text={after} />
                </>
              )}
            </span>
          ))}
        </span>
      )}
    </div>
  )
}

function Changed({ text }: { text: string }) {
  return INSTANT.test(text) ? <Time at={text} /> : <bdi>{shortened(text)}</bdi>
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/
const MOST = 80
const shortened = (text: string) => (text.length > MOST ? `${text.slice(0, MOST)}…` : text)

/** A leak has an address that anybody may have written: only one of http or https is a link. */
function Value({ name, value }: { name: string; value: string }) {
  const link = name === 'url' ? httpLink(value) : null
  if (link)
    return (
      <a href={link} target="_blank" rel="noreferrer noopener nofollow">
        <bdi>{value}</bdi>
      </a>
    )
  if (INSTANT.test(value)) return <Time at={value} />
  return <bdi>{value}</bdi>
}

/** Whom or what an entry is about. */
export function Subject({ entry }: { entry: AuditEntry }) {
  const { keyId, name, clientId } = entry
  if (typeof keyId === 'string')
    return <KeyLink id={keyId} name={typeof name === 'string' ? name : keyId} />
  if (typeof clientId === 'string') return <ClientLink clientId={clientId} />
  const other = name ?? entry.role ?? entry.tokenId ?? entry.webhookId ?? entry.lookup
  return typeof other === 'string' ? <Text>{other}</Text> : <span class="muted">–</span>
}

const bad = new Set([
  'key.revoked',
  'key.deleted',
  'key.leaked',
  'key.reuse_detected',
  'notices.lost',
])
const warning = new Set(['key.suspended', 'key.refused', 'admin.refused', 'webhook.failing'])
const good = new Set(['key.issued', 'key.restored', 'database.recovered'])

const toneOf = (type: string): Tone =>
  bad.has(type) ? 'bad' : warning.has(type) ? 'warning' : good.has(type) ? 'good' : 'neutral'

export function EntryType({ entry }: { entry: AuditEntry }) {
  return <Badge tone={toneOf(entry.type)}>{entryText(entry)}</Badge>
}
