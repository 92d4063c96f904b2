// What can be done with several keys at once.

import { useEffect, useState } from 'preact/hooks'
import { Failed, request } from '../api.ts'
import { changed } from '../data.ts'
import { counted } from '../format.ts'
import { whereOf } from '../key-filters.ts'
import type { Key } from '../types.ts'
import { Button } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import { Note, Skeleton } from '../ui/states.tsx'
import { tell } from '../ui/toast.tsx'
import { ReasonFields, useReason } from './reason.tsx'

interface BulkBarProps {
  chosen: ReadonlyMap<string, Key>
  clear(): void
  /** Whether there are filters: without one, nothing is revoked by filter. */
  hasFilters: boolean
  query: URLSearchParams
}

export function BulkBar({ chosen, clear, hasFilters, query }: BulkBarProps) {
  const [revokes, setRevokes] = useState<'chosen' | 'matching'>()
  const close = () => setRevokes(undefined)
  if (chosen.size === 0) return null
  return (
    <div class="selection" role="region" aria-label="Selection">
      <strong role="status">{counted(chosen.size, 'key')} selected</strong>
      <Button small variant="danger" onClick={() => setRevokes('chosen')}>
        Revoke selected
      </Button>
      {hasFilters && (
        <Button small onClick={() => setRevokes('matching')}>
          Revoke all that match the filters
        </Button>
      )}
      <Button small variant="ghost" onClick={clear}>
        Clear selection
      </Button>
      {revokes === 'chosen' && <RevokeChosen chosen={chosen} close={close} done={clear} />}
      {revokes === 'matching' && <RevokeMatching query={query} close={close} done={clear} />}
    </div>
  )
}

interface RevokeProps {
  close(): void
  done(): void
}

/** The dry run: what would be revoked, as the server sees it now. */
function useDryRun<T>(run: () => Promise<T>): { found?: T; failed?: Failed } {
  const [result, setResult] = useState<{ found?: T; failed?: Failed }>({})
  useEffect(() => {
    run().then(
      (found) => setResult({ found }),
      (failed: Failed) => setResult({ failed }),
    )
  }, [])
  return result
}

function RevokeChosen({ chosen, close, done }: RevokeProps & { chosen: ReadonlyMap<string, Key> }) {
  const { found, failed } = useDryRun(() => readKeys([...chosen.keys()]))
  const reason = useReason()
  const [progress, setProgress] = useState(0)
  const open = found?.filter(({ revokedAt }) => revokedAt === null) ?? []
  const revoke = async () => {
    await inTurns(open, async ({ id }) => {
      await request('POST', 'keys/revocation', { body: { id, ...reason.fields } })
      setProgress((count) => count + 1)
    }).finally(() => changed('keys', 'key/', 'audit'))
    tell(`${counted(open.length, 'key')} revoked`)
    close()
    done()
  }
  return (
    <RevokeDialog
      count={found && open.length}
      failed={failed}
      close={close}
      revoke={revoke}
      reason={reason}
    >
      {found && found.length > open.length && (
        <p>{counted(found.length - open.length, 'key')} of the selection are revoked already.</p>
      )}
      <ul class="tags">
        {open.slice(0, 12).map(({ id, name }) => (
          <li key={id} class="tag">
            <bdi>{name}</bdi>
          </li>
        ))}
        {open.length > 12 && <li class="muted">and {counted(open.length - 12, 'more')}</li>}
      </ul>
      {progress > 0 && <p role="status">{`${progress} of ${open.length} done`}</p>}
    </RevokeDialog>
  )
}

function RevokeMatching({ query, close, done }: RevokeProps & { query: URLSearchParams }) {
  const call = (fields: object) =>
    request<{ count: number }>('POST', 'keys/revocation', {
      body: { where: whereOf(query), ...fields },
    })
  const { found, failed } = useDryRun(() => call({ dryRun: true }))
  const reason = useReason()
  const revoke = async () => {
    // Keys that came in between would be others than those that were counted.
    const { count } = await call({ ...reason.fields, expectedCount: found?.count })
    changed('keys', 'key/', 'audit')
    tell(`${counted(count, 'key')} revoked`)
    close()
    done()
  }
  return (
    <RevokeDialog
      count={found?.count}
      failed={failed}
      close={close}
      revoke={revoke}
      reason={reason}
    >
      <p>All keys that match the filters of this view are meant, on all pages.</p>
    </RevokeDialog>
  )
}

interface RevokeDialogProps {
  count: number | undefined
  failed: Failed | undefined
  close(): void
  revoke(): Promise<void>
  reason: ReturnType<typeof useReason>
  children: preact.ComponentChildren
}

function RevokeDialog({ count, failed, close, revoke, reason, children }: RevokeDialogProps) {
  return (
    <ActionDialog
      title="Revoke keys"
      action={count === undefined ? 'Revoke' : `Revoke ${counted(count, 'key')}`}
      danger
      ready={Boolean(count)}
      onAction={revoke}
      onClose={close}
    >
      {failed && <Note tone="problem">{failed.message}</Note>}
      {count === undefined && !failed && <Skeleton lines={2} />}
      {count !== undefined && (
        <p role="status">
          <strong>Dry run: {counted(count, 'key')} would be revoked.</strong> They are refused
          everywhere within moments.
        </p>
      )}
      {children}
      <ReasonFields reason={reason} />
    </ActionDialog>
  )
}

const AT_A_TIME = 6

/** Does something with each, a few at a time. */
async function inTurns<T>(all: T[], act: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all]
  const work = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await act(one)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
}

async function readKeys(ids: string[]): Promise<Key[]> {
  const keys: Key[] = []
  await inTurns(ids, async (id) => {
    const key = await request<Key>('GET', `keys/${id}`).catch((error: Failed) => {
      // One that was deleted meanwhile needs no revocation.
      if (error.status === 404) return null
      throw error
    })
    if (key) keys.push(key)
  })
  return keys
}
