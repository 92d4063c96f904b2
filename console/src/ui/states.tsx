// What stands where data is not there: because it is on its way, because there is none, or because reading it failed.

import type { ComponentChildren } from 'preact'
import type { Failed } from '../api.ts'
import type { Loaded } from '../data.ts'
import { Button } from './button.tsx'
import { Icon, type IconName } from './icons.tsx'

export function Skeleton({ lines = 3, height = 14 }: { lines?: number; height?: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: lines }, (_, line) => (
        <div key={line} style={{ height: `${height}px`, width: `${100 - ((line * 17) % 40)}%` }} />
      ))}
    </div>
  )
}

interface EmptyProps {
  icon?: IconName
  title: string
  children?: ComponentChildren
}

export function Empty({ icon = 'search', title, children }: EmptyProps) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={icon} size={20} />
      </span>
      <p class="empty-title">{title}</p>
      {children && <div class="muted">{children}</div>}
    </div>
  )
}

export function ErrorNote({ error, retry }: { error: Failed; retry?: () => void }) {
  const { issues, code } = error
  return (
    <div class="note problem" role="alert">
      <Icon name="warning" />
      <div>
        <p>{sentenceOf(error)}</p>
        {code === 'INVALID_INPUT' && issues.length > 0 && (
          <ul>
            {issues.map(({ path, message }) => (
              <li key={path + message}>
                {path && <code>{path}</code>} {message}
              </li>
            ))}
          </ul>
        )}
        {retry && (
          <Button small onClick={retry}>
            Try again
          </Button>
        )}
      </div>
    </div>
  )
}

/** What went wrong, for people. */
function sentenceOf({ status, code, message }: Failed): string {
  if (code === 'OFFLINE') return 'The server cannot be reached. Check your connection.'
  if (code === 'DATABASE_UNAVAILABLE') return 'The database does not answer at the moment.'
  if (code === 'OVERLOADED') return 'The server is busy. Try again in a moment.'
  if (code === 'INVALID_INPUT') return 'The server did not accept this:'
  if (status === 403) return 'You do not have permission for this.'
  if (status >= 500) return `The server failed: ${message}`
  return message
}

interface LoadProps<T> {
  from: Loaded<T>
  /** What stands there until the data is there. */
  waiting?: ComponentChildren
  children: (data: T) => ComponentChildren
}

/** What was read, or why it is not there. */
export function Load<T>({ from, waiting, children }: LoadProps<T>) {
  const { data, error, busy, reload } = from
  return (
    <div class="load" aria-busy={busy}>
      {error && <ErrorNote error={error} retry={reload} />}
      {data === undefined ? !error && (waiting ?? <Skeleton />) : children(data)}
    </div>
  )
}

export function Note({
  tone,
  children,
}: {
  tone: 'info' | 'warning' | 'problem'
  children: ComponentChildren
}) {
  return (
    <div class={`note ${tone}`}>
      <Icon name="warning" />
      <div>{children}</div>
    </div>
  )
}
