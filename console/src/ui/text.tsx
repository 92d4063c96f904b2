// Times, numbers, and texts of users.

import type { ComponentChildren } from 'preact'
import { keyAddress, clientAddress } from '../address.ts'
import {
  formatCompact,
  formatDateTime,
  formatNumber,
  formatRelative,
  formatUtc,
} from '../format.ts'

interface TimeProps {
  at: string | null | undefined
  /** What to show where there is no time. */
  none?: string
  /** Whether to show how long ago it is. */
  ago?: boolean
}

/** An instant in the zone of the viewer, with UTC on hover. */
export function Time({ at, none = '–', ago = false }: TimeProps) {
  const date = at ? new Date(at) : null
  if (!date || Number.isNaN(date.getTime())) return <span class="muted">{none}</span>
  const local = formatDateTime(date)
  const utc = formatUtc(date)
  return (
    <time datetime={date.toISOString()} title={ago ? `${local} · ${utc}` : utc}>
      {ago ? formatRelative(date) : local}
    </time>
  )
}

export function Num({ value, short = false }: { value: number; short?: boolean }) {
  const full = formatNumber(value)
  return (
    <span class="num" title={short ? full : undefined}>
      {short ? formatCompact(value) : full}
    </span>
  )
}

/** A text that a user wrote: its direction stays its own, and nothing in it is markup. */
export function Text({ children }: { children: string }) {
  return <bdi>{children}</bdi>
}

export function KeyLink({ id, name }: { id: string; name: string }) {
  return (
    <a class="name-link" href={keyAddress(id)} title={name}>
      <bdi>{name}</bdi>
    </a>
  )
}

export function ClientLink({ clientId, name }: { clientId: string; name?: string | null }) {
  return (
    <a class="quiet-link" href={clientAddress(clientId)} title={clientId}>
      <bdi>{name ?? clientId}</bdi>
    </a>
  )
}

export function Mono({ children }: { children: ComponentChildren }) {
  return <code class="mono">{children}</code>
}

/** An entry of a list of facts. */
export function Fact({ term, children }: { term: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** The metadata of a key or a client, if it has any. */
export const MetadataFact = ({ metadata }: { metadata: object | null | undefined }) =>
  metadata ? (
    <Fact term="Metadata">
      <Mono>
        <bdi>{JSON.stringify(metadata)}</bdi>
      </Mono>
    </Fact>
  ) : null
