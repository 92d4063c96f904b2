import { useEffect, useState } from 'preact/hooks'
import { clientAddress } from '../address.ts'
import { page, request } from '../api.ts'
import { clientChanged } from '../changes.ts'
import { useData } from '../data.ts'
import { counted } from '../format.ts'
import { navigate, place, setQuery } from '../router.ts'
import { may } from '../session.ts'
import { useStore } from '../store.ts'
import type { ClientRow } from '../types.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import { SearchField, TextField } from '../ui/field.tsx'
import { Page, Section, Table } from '../ui/layout.tsx'
import { Empty, Load } from '../ui/states.tsx'
import { ClientLink, Num, Time } from '../ui/text.tsx'
import { tell } from '../ui/toast.tsx'
import { CursorPager } from './list.tsx'
import { useTyped } from './typed.ts'

const PAGE = 50
const SEARCH_LENGTH = 3

export function Clients() {
  const { query } = useStore(place)
  const [adds, setAdds] = useState(false)
  const [typed, setTyped] = useTyped(query.get('search') ?? '', (search) =>
    setQuery({ search, cursor: null }, { replace: true }),
  )
  const search =
    [...(query.get('search') ?? '').trim()].length >= SEARCH_LENGTH ? query.get('search') : null
  const cursor = query.get('cursor')
  const list = useData(
    `clients?${search ?? ''}&${cursor ?? ''}`,
    (signal) => page<ClientRow>('clients', { query: { search, cursor, limit: PAGE }, signal }),
    { poll: 15_000, keepsPrevious: true },
  )
  const short = typed !== '' && [...typed.trim()].length < SEARCH_LENGTH
  return (
    <Page
      title="Clients"
      name="Clients"
      lead="Whom keys identify. A client has settings once something was set for all of its keys."
      actions={
        may('clients:write') && (
          <Button variant="primary" icon="plus" onClick={() => setAdds(true)}>
            Add client
          </Button>
        )
      }
    >
      <div class="filters" role="search" aria-label="Clients">
        <SearchField
          label="Search clients"
          placeholder="Search by name or id"
          value={typed}
          hint={short ? `At least ${SEARCH_LENGTH} characters` : undefined}
          onChange={setTyped}
        />
      </div>
      <div class="panel">
        <Load from={list}>
          {({ rows }) =>
            rows.length === 0 ? (
              <Empty
                icon="clients"
                title={search ? 'No client matches' : 'No client has settings yet'}
              >
                {!search &&
                  'Limits, quotas and addresses can be set for all keys of a client together.'}
              </Empty>
            ) : (
              <ClientTable clients={rows} />
            )
          }
        </Load>
      </div>
      <CursorPager
        nextCursor={list.data?.nextCursor ?? null}
        text={`${counted(list.data?.rows.length ?? 0, 'client')} on this page`}
      />
      {!cursor && <Unset search={search} />}
      {adds && <AddClient close={() => setAdds(false)} />}
    </Page>
  )
}

function ClientTable({ clients }: { clients: ClientRow[] }) {
  return (
    <Table label="Clients with settings">
      <thead>
        <tr>
          <th scope="col">Client</th>
          <th scope="col">Status</th>
          <th scope="col" class="number">
            Keys
          </th>
          <th scope="col">Rules</th>
          <th scope="col">Parent</th>
          <th scope="col">Changed</th>
        </tr>
      </thead>
      <tbody>
        {clients.map((client) => (
          <tr key={client.clientId}>
            <td class="name-cell">
              <a
                class="name-link"
                href={clientAddress(client.clientId)}
                title={client.name ?? client.clientId}
              >
                <bdi>{client.name ?? client.clientId}</bdi>
              </a>
              {client.name && (
                <div class="hint text-cell">
                  <bdi>{client.clientId}</bdi>
                </div>
              )}
            </td>
            <td>
              <Badge tone={client.isActive ? 'good' : 'bad'}>
                {client.isActive ? 'Active' : 'Disabled'}
              </Badge>
            </td>
            <td class="number">
              <Num value={client.keyCount} />
              {client.maxKeys !== null && (
                <span class="muted">
                  {' '}
                  of <Num value={client.maxKeys} />
                </span>
              )}
            </td>
            <td class="muted">{rulesOf(client)}</td>
            <td class="text-cell">
              {client.parentId ? (
                <ClientLink clientId={client.parentId} />
              ) : (
                <span class="muted">–</span>
              )}
            </td>
            <td>
              <Time at={client.updatedAt} ago />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

function rulesOf({ limits, quotas, allowedIps }: ClientRow): string {
  const rules = [
    limits?.length && counted(limits.length, 'limit'),
    quotas?.length && counted(quotas.length, 'quota'),
    allowedIps.length && counted(allowedIps.length, 'address').replace('addresss', 'addresses'),
  ].filter(Boolean)
  return rules.length > 0 ? rules.join(', ') : '–'
}

interface Unset {
  ids: string[]
  nextCursor: string | null
}

/** Clients that keys name, and for which nothing was set. A part of the list may be empty and still have a next one. */
function Unset({ search }: { search: string | null }) {
  const read = (cursor: string | null, signal?: AbortSignal) =>
    request<Unset>('GET', 'clients/ids', { query: { search, cursor }, signal })
  const first = useData(`client-ids?${search ?? ''}`, (signal) => read(null, signal))
  const [more, setMore] = useState<Unset>()
  useEffect(() => setMore(undefined), [search])
  const nextCursor = (more ?? first.data)?.nextCursor ?? null
  const goOn = async () => {
    const next = await read(nextCursor)
    setMore({ ids: [...(more?.ids ?? []), ...next.ids], nextCursor: next.nextCursor })
  }
  if (first.data && first.data.ids.length === 0 && !nextCursor) return null
  return (
    <Section
      title="Clients without settings"
      hint="Their keys exist; nothing was set for all of them."
    >
      <Load from={first}>
        {({ ids }) => (
          <>
            <ul class="tags">
              {[...ids, ...(more?.ids ?? [])].map((clientId) => (
                <li key={clientId} class="tag">
                  <ClientLink clientId={clientId} />
                </li>
              ))}
            </ul>
            {nextCursor && (
              <p style={{ marginTop: '10px' }}>
                <Button small onClick={() => void goOn()}>
                  Show more
                </Button>
              </p>
            )}
          </>
        )}
      </Load>
    </Section>
  )
}

function AddClient({ close }: { close(): void }) {
  const [clientId, setClientId] = useState('')
  const [name, setName] = useState('')
  const add = async () => {
    const body = { clientId: clientId.trim(), ...(name.trim() === '' ? {} : { name: name.trim() }) }
    await request('PUT', 'clients', { body })
    clientChanged()
    tell('The client is set')
    close()
    navigate(clientAddress(body.clientId))
  }
  return (
    <ActionDialog
      title="Add a client"
      action="Add client"
      ready={clientId.trim() !== ''}
      onAction={add}
      onClose={close}
    >
      <TextField
        label="Client ID"
        maxLength={255}
        hint="An id of your own, as keys name it."
        value={clientId}
        onChange={setClientId}
      />
      <TextField label="Name" maxLength={255} value={name} onChange={setName} />
    </ActionDialog>
  )
}
