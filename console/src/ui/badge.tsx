import type { ComponentChildren } from 'preact'
import { inWords } from '../format.ts'

export type Tone = 'good' | 'warning' | 'bad' | 'neutral' | 'accent'

export function Badge({
  tone = 'neutral',
  children,
}: {
  tone?: Tone
  children: ComponentChildren
}) {
  return <span class={`badge ${tone}`}>{children}</span>
}

const tones: Record<string, Tone> = {
  active: 'good',
  delivered: 'good',
  ok: 'good',
  expired: 'neutral',
  disabled: 'warning',
  suspended: 'warning',
  pending: 'accent',
  degraded: 'warning',
  warning: 'warning',
  revoked: 'bad',
  dead: 'bad',
  down: 'bad',
  problem: 'bad',
}

export function Status({ status }: { status: string }) {
  return <Badge tone={tones[status] ?? 'neutral'}>{inWords(status)}</Badge>
}
