import { useState } from 'preact/hooks'
import { page, request } from '../api.ts'
import { changed, useData } from '../data.ts'
import { counted, inWords } from '../format.ts'
import { place, setQuery } from '../router.ts'
import { may } from '../session.ts'
import { useStore } from '../store.ts'
import type { DeliveryRow, Hook, NoticeType } from '../types.ts'
import { Badge, Status } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import { Check, Group, SelectField, TextField, type Choice } from '../ui/field.tsx'
import { Issued } from '../ui/issued.tsx'
import { ActionsHead, Page, Section, Table } from '../ui/layout.tsx'
import { Empty, Load } from '../ui/states.tsx'
import { Mono, Time } from '../ui/text.tsx'
import { tell } from '../ui/toast.tsx'
import { typeText } from '../audit.ts'
import { Tags } from './key-parts.tsx'
import { CursorPager } from './list.tsx'

type Asked = { what: 'create' } | { what: 'edit' | 'rotate' | 'delete'; hook: Hook }

export function Webhooks() {
  const [asked, setAsked] = useState<Asked>()
  // The secret is here alone, and gone when this is.
  const [issued, setIssued] = useState<string>()
  const close = () => setAsked(undefined)
  const hooks = useData('webhooks', (signal) => request<Hook[]>('GET', 'webhooks', { signal }), {
    poll: 15_000,
  })
  const saved = (answer: { secret?: string }) => {
    changed('webhooks', 'audit')
    close()
    if (answer.secret) setIssued(answer.secret)
    else tell('The webhook is saved')
  }
  const writes = may('webhooks:write')
  return (
    <Page
      title="Webhooks"
      name="Webhooks"
      lead="Your own programs are told what happens to keys and clients."
      actions={
        writes && (
          <Button variant="primary" icon="plus" onClick={() => setAsked({ what: 'create' })}>
            Create webhook
          </Button>
        )
      }
    >
      <div class="panel">
        <Load from={hooks}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty icon="webhooks" title="There are no webhooks yet" />
            ) : (
              <HookTable hooks={rows} ask={setAsked} writes={writes} />
            )
          }
        </Load>
      </div>
      {(hooks.data?.length ?? 0) > 0 && <Deliveries hooks={hooks.data ?? []} />}
      {asked?.what === 'create' && <EditHook hook={null} saved={saved} close={close} />}
      {asked?.what === 'edit' && <EditHook hook={asked.hook} saved={saved} close={close} />}
      {asked?.what === 'rotate' && <RotateSecret hook={asked.hook} saved={saved} close={close} />}
      {asked?.what === 'delete' && <DeleteHook hook={asked.hook} close={close} />}
      {issued && (
        <Issued
          what="secret"
          title="The secret of the webhook"
          secret={issued}
          onSaved={() => setIssued(undefined)}
        />
      )}
    </Page>
  )
}

function HookTable(props: { hooks: Hook[]; ask(asked: Asked): void; writes: boolean }) {
  const { hooks, ask, writes } = props
  return (
    <Table label="Webhooks">
      <thead>
        <tr>
          <th scope="col">URL</th>
          <th scope="col">Status</th>
          <th scope="col">Notices</th>
          <th scope="col">Changed</th>
          {writes && <ActionsHead />}
        </tr>
      </thead>
      <tbody>
        {hooks.map((hook) => (
          <tr key={hook.id}>
            <td class="name-cell">
              <span class="name-link" title={hook.url}>
                <bdi>{hook.url}</bdi>
              </span>
            </td>
            <td>
              <Badge tone={hook.isActive ? 'good' : 'neutral'}>
                {hook.isActive ? 'Active' : 'Paused'}
              </Badge>
            </td>
            <td>{hook.types === null ? 'All' : <Tags texts={hook.types} none="None" />}</td>
            <td>
              <Time at={hook.updatedAt} ago />
            </td>
            {writes && (
              <td>
                <div class="row-actions">
                  {(['edit', 'rotate', 'delete'] as const).map((what) => (
                    <Button key={what} small variant="ghost" onClick={() => ask({ what, hook })}>
                      {{ edit: 'Edit', rotate: 'New secret', delete: 'Delete' }[what]}
                      <span class="for-readers"> {hook.url}</span>
                    </Button>
                  ))}
                </div>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

const PAGE = 25

function Deliveries({ hooks }: { hooks: Hook[] }) {
  const { query } = useStore(place)
  const asks = {
    webhookId: query.get('webhookId'),
    state: query.get('state'),
    cursor: query.get('cursor'),
    limit: PAGE,
  }
  const list = useData(
    `webhooks/deliveries?${JSON.stringify(asks)}`,
    (signal) => page<DeliveryRow>('webhooks/deliveries', { query: asks, signal }),
    { poll: 5_000, keepsPrevious: true },
  )
  const urls = new Map(hooks.map(({ id, url }) => [id, url]))
  return (
    <>
      <Section
        title="Deliveries"
        hint="Each notice is tried again for three days."
        flush
        actions={
          <>
            <SelectField
              label="Webhook"
              hidden
              value={asks.webhookId ?? ''}
              choices={[
                ['', 'All webhooks'],
                ...hooks.map(({ id, url }): Choice => [id, shortened(url)]),
              ]}
              onChange={(webhookId) => setQuery({ webhookId, cursor: null })}
            />
            <SelectField
              label="State"
              hidden
              value={asks.state ?? ''}
              choices={[
                ['', 'Any state'],
                ['pending', 'Pending'],
                ['delivered', 'Delivered'],
                ['dead', 'Given up'],
              ]}
              onChange={(state) => setQuery({ state, cursor: null })}
            />
          </>
        }
      >
        <Load from={list}>
          {({ rows }) =>
            rows.length === 0 ? (
              <Empty icon="webhooks" title="No deliveries" />
            ) : (
              <DeliveryTable rows={rows} urls={urls} />
            )
          }
        </Load>
      </Section>
      <CursorPager
        nextCursor={list.data?.nextCursor ?? null}
        text={counted(list.data?.rows.length ?? 0, 'delivery').replace('deliverys', 'deliveries')}
      />
    </>
  )
}

const MOST = 44
const shortened = (text: string) => (text.length > MOST ? `${text.slice(0, MOST)}…` : text)

function DeliveryTable({ rows, urls }: { rows: DeliveryRow[]; urls: Map<string, string> }) {
  const again = async (id: string) => {
    try {
      await request('POST', 'webhooks/deliveries', { body: { id } })
      tell('The notice is delivered once more')
    } catch (error) {
      tell((error as Error).message, true)
    }
    changed('webhooks/deliveries')
  }
  return (
    <Table label="Deliveries">
      <thead>
        <tr>
          <th scope="col">Notice</th>
          <th scope="col">State</th>
          <th scope="col">Webhook</th>
          <th scope="col" class="number">
            Attempts
          </th>
          <th scope="col" class="wide-only">
            Id
          </th>
          {may('webhooks:write') && <ActionsHead />}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, type, state, webhookId, attempts, noticeId }) => (
          <tr key={id}>
            <td>{noticeText(type)}</td>
            <td>
              <Status status={state} />
            </td>
            <td class="text-cell">
              <bdi>{urls.get(webhookId) ?? webhookId}</bdi>
            </td>
            <td class="number">{attempts}</td>
            <td class="wide-only text-cell">
              <Mono>{noticeId}</Mono>
            </td>
            {may('webhooks:write') && (
              <td>
                <div class="row-actions">
                  <Button small variant="ghost" onClick={() => void again(id)}>
                    Redeliver<span class="for-readers"> {noticeId}</span>
                  </Button>
                </div>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

/** Every type has a text: the compiler says which one is missing. */
const NOTICES: Record<NoticeType, string> = {
  'key.issued': typeText('key.issued'),
  'key.changed': typeText('key.changed'),
  'key.revoked': typeText('key.revoked'),
  'keys.revoked': 'Keys revoked',
  'key.restored': typeText('key.restored'),
  'key.deleted': typeText('key.deleted'),
  'key.suspended': typeText('key.suspended'),
  'key.expiring': 'Key expires soon',
  'key.expired': 'Key expired',
  'key.unused': 'Key unused',
  'key.leaked': typeText('key.leaked'),
  'key.rotation.first_use': typeText('key.rotation.first_use'),
  'key.previous_still_used': typeText('key.previous_still_used'),
  'key.reuse_detected': typeText('key.reuse_detected'),
  'quota.threshold': 'Quota near its end',
  'client.changed': typeText('client.changed'),
  'client.deleted': typeText('client.deleted'),
  'role.changed': typeText('role.changed'),
  'role.deleted': typeText('role.deleted'),
  'database.unavailable': typeText('database.unavailable'),
  'database.recovered': typeText('database.recovered'),
}

const noticeText = (type: string) => NOTICES[type as NoticeType] ?? inWords(type)

interface HookDialogProps {
  saved(answer: { secret?: string }): void
  close(): void
}

function EditHook({ hook, saved, close }: HookDialogProps & { hook: Hook | null }) {
  const [url, setUrl] = useState(hook?.url ?? '')
  const [all, setAll] = useState(hook ? hook.types === null : true)
  const [types, setTypes] = useState<string[]>([...(hook?.types ?? [])])
  const [isActive, setActive] = useState(hook?.isActive ?? true)
  const save = async () => {
    const fields = { url: url.trim(), types: all ? null : types, isActive }
    const method = hook ? 'PATCH' : 'POST'
    const body = hook ? { id: hook.id, ...fields } : fields
    saved(await request<{ secret?: string }>(method, 'webhooks', { body }))
  }
  return (
    <ActionDialog
      title={hook ? 'Edit the webhook' : 'Create a webhook'}
      action={hook ? 'Save webhook' : 'Create webhook'}
      ready={url.trim() !== '' && (all || types.length > 0)}
      wide
      onAction={save}
      onClose={close}
    >
      <TextField
        label="URL"
        type="url"
        placeholder="https://example.com/hooks"
        value={url}
        onChange={setUrl}
      />
      <Check
        label="Active"
        hint="Nothing is sent to one that is paused."
        checked={isActive}
        onChange={setActive}
      />
      <Group legend="Notices">
        <Check label="All" hint="Later ones included" checked={all} onChange={setAll} />
        {!all && (
          <div class="choices">
            {Object.entries(NOTICES).map(([type, text]) => (
              <Check
                key={type}
                label={text}
                hint={type}
                checked={types.includes(type)}
                onChange={(isIn) =>
                  setTypes(isIn ? [...types, type] : types.filter((other) => other !== type))
                }
              />
            ))}
          </div>
        )}
      </Group>
    </ActionDialog>
  )
}

function RotateSecret({ hook, saved, close }: HookDialogProps & { hook: Hook }) {
  const rotate = async () =>
    saved(
      await request<{ secret?: string }>('PATCH', 'webhooks', {
        body: { id: hook.id, rotateSecret: true },
      }),
    )
  return (
    <ActionDialog
      title="Make a new secret"
      action="Make new secret"
      onAction={rotate}
      onClose={close}
    >
      <p>For a day, requests are signed with the old secret too.</p>
    </ActionDialog>
  )
}

function DeleteHook({ hook, close }: { hook: Hook; close(): void }) {
  const remove = async () => {
    await request('DELETE', 'webhooks', { query: { id: hook.id } })
    changed('webhooks', 'audit')
    tell('The webhook is deleted')
    close()
  }
  return (
    <ActionDialog
      title="Delete the webhook"
      action="Delete webhook"
      danger
      onAction={remove}
      onClose={close}
    >
      <p>
        Nothing more is sent to <bdi>{hook.url}</bdi>. What is on its way is dropped.
      </p>
    </ActionDialog>
  )
}
