import { useState } from 'preact/hooks'
import { address, keyAddress, withQuery } from '../address.ts'
import { request } from '../api.ts'
import { keyChanged } from '../changes.ts'
import { useData } from '../data.ts'
import { place } from '../router.ts'
import { may } from '../session.ts'
import { useStore } from '../store.ts'
import type { Key } from '../types.ts'
import { Status } from '../ui/badge.tsx'
import { Button, LinkButton } from '../ui/button.tsx'
import { Page } from '../ui/layout.tsx'
import { Empty, ErrorNote, Skeleton } from '../ui/states.tsx'
import { ClientLink, Mono } from '../ui/text.tsx'
import { tell } from '../ui/toast.tsx'
import { AuditTrail } from './audit-entries.tsx'
import { EditKey } from './edit-key.tsx'
import { DeleteKey, RevokeKey, RotateKey } from './key-dialogs.tsx'
import { KeyFacts, KeyState, Rotation, TryIt } from './key-parts.tsx'
import { KeyLimits } from './key-limits.tsx'
import { UsageSection } from './usage-section.tsx'

const POLL = 5_000

/** The form of a key is at the address of the key, so that every server finds it where it finds the key. */
export function KeyOrForm({ id }: { id: string }) {
  const { query } = useStore(place)
  return query.get('edit') && may('keys:write') ? <EditKey id={id} /> : <KeyPage id={id} />
}

function KeyPage({ id }: { id: string }) {
  const key = useData(
    `key/${id}`,
    (signal) => request<Key>('GET', `keys/${encodeURIComponent(id)}`, { signal }),
    {
      poll: POLL,
    },
  )
  const back = { href: address(['keys']), text: 'Keys' }
  const { data, error, reload } = key
  if (!data)
    return (
      <Page title="Key" name="Key" back={back}>
        <div class="load" aria-busy={!error}>
          {error?.status === 404 ? (
            <Empty icon="keys" title="There is no such key">
              It may have been deleted. The audit log still knows it.
            </Empty>
          ) : error ? (
            <ErrorNote error={error} retry={reload} />
          ) : (
            <Skeleton lines={8} height={20} />
          )}
        </div>
      </Page>
    )
  return (
    <Page
      title={<bdi>{data.name}</bdi>}
      name={data.name}
      back={back}
      lead={
        <>
          <Status status={data.status} />
          <span>
            Client <ClientLink clientId={data.clientId} />
          </span>
          <Mono>{data.id}</Mono>
        </>
      }
      actions={<Actions apiKey={data} />}
    >
      <KeyState apiKey={data} />
      <div class="columns">
        <div class="stack">
          <UsageSection of={{ keyId: id }} what={`of ${data.name}`} />
          <KeyLimits apiKey={data} />
          {may('audit:read') && <AuditTrail keyId={id} />}
        </div>
        <div class="stack">
          <Rotation apiKey={data} />
          <KeyFacts apiKey={data} />
          <TryIt apiKey={data} />
        </div>
      </div>
    </Page>
  )
}

type Asked = 'rotate' | 'revoke' | 'delete'

function Actions({ apiKey }: { apiKey: Key }) {
  const [asked, setAsked] = useState<Asked>()
  const [busy, setBusy] = useState(false)
  const close = () => setAsked(undefined)
  const { id, revokedAt, revokedReason, isActive, suspendedUntil } = apiKey
  const isRevoked = revokedAt !== null
  const isHeld = !isActive || apiKey.status === 'suspended' || suspendedUntil !== null

  const act = async (work: () => Promise<unknown>, done: string, undo?: () => void) => {
    setBusy(true)
    try {
      await work()
      tell(done, false, undo)
    } catch (error) {
      tell((error as Error).message, true)
    }
    setBusy(false)
    keyChanged(id)
  }
  const patch = (fields: object) => request('PATCH', 'keys', { body: { id, ...fields } })
  const lift = () =>
    act(() => patch({ isActive: true, suspendedUntil: null }), 'The suspension is lifted')
  const suspend = () =>
    act(
      () => patch({ isActive: false }),
      'The key is suspended',
      () => void lift(),
    )
  const restore = () =>
    act(() => request('DELETE', 'keys/revocation', { query: { id } }), 'The key is restored')

  if (!may('keys:write')) return null
  return (
    <>
      {isRevoked ? (
        <>
          {revokedReason !== 'compromised' && (
            <Button busy={busy} onClick={restore}>
              Restore
            </Button>
          )}
          <Button variant="risky" onClick={() => setAsked('delete')}>
            Delete
          </Button>
        </>
      ) : (
        <>
          <LinkButton href={withQuery(keyAddress(id), { edit: 1 })}>Edit</LinkButton>
          <Button icon="rotate" onClick={() => setAsked('rotate')}>
            Rotate
          </Button>
          {isHeld ? (
            <Button busy={busy} onClick={lift}>
              Lift suspension
            </Button>
          ) : (
            <Button busy={busy} onClick={suspend}>
              Suspend
            </Button>
          )}
          <Button variant="risky" onClick={() => setAsked('revoke')}>
            Revoke
          </Button>
        </>
      )}
      {asked === 'rotate' && <RotateKey apiKey={apiKey} close={close} />}
      {asked === 'revoke' && <RevokeKey apiKey={apiKey} close={close} />}
      {asked === 'delete' && <DeleteKey apiKey={apiKey} close={close} />}
    </>
  )
}
