import { useState } from 'preact/hooks'
import { address } from '../address.ts'
import { page, request } from '../api.ts'
import { clientChanged } from '../changes.ts'
import { deleting, useData } from '../data.ts'
import { counted } from '../format.ts'
import { navigate, place } from '../router.ts'
import { may } from '../session.ts'
import { useStore } from '../store.ts'
import type { ClientRow, Key } from '../types.ts'
import { Badge, Status } from '../ui/badge.tsx'
import { Button, LinkButton } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import { Page, Section, Table } from '../ui/layout.tsx'
import { Empty, Load, Note } from '../ui/states.tsx'
import { ClientLink, Fact, MetadataFact, KeyLink, Mono, Num, Time } from '../ui/text.tsx'
import { tell } from '../ui/toast.tsx'
import { ClientSettings } from './client-settings.tsx'
import { GrantUnits } from './grant-units.tsx'
import { LimitGauges, QuotaGauges, readClient } from './key-limits.tsx'
import { Tags } from './key-parts.tsx'
import { UsageSection } from './usage-section.tsx'

const SHOWN = 10

export function ClientPage({ id }: { id: string }) {
  const { query } = useStore(place)
  const clientId = id === '-' ? (query.get('id') ?? id) : id
  const client = useData(`client/${clientId}`, (signal) => readClient(clientId, signal), {
    poll: 15_000,
  })
  const { data } = client
  const name = data?.name ?? clientId
  return (
    <Page
      title={<bdi>{name}</bdi>}
      name={name}
      back={{ href: address(['clients']), text: 'Clients' }}
      lead={
        <>
          {data && (
            <Badge tone={data.isActive ? 'good' : 'bad'}>
              {data.isActive ? 'Active' : 'Disabled'}
            </Badge>
          )}
          <Mono>
            <bdi>{clientId}</bdi>
          </Mono>
        </>
      }
      actions={data !== undefined && <Actions clientId={clientId} client={data} />}
    >
      {data?.isActive === false && (
        <Note tone="problem">
          <strong>Disabled.</strong> All keys of this client, and of the clients below it, are
          refused.
        </Note>
      )}
      <div class="columns">
        <div class="stack">
          <UsageSection of={{ clientId }} what={`of ${name}`} />
          <ClientKeys clientId={clientId} />
        </div>
        <div class="stack">
          <Load from={client}>{(found) => <Settings client={found} clientId={clientId} />}</Load>
        </div>
      </div>
    </Page>
  )
}

function Settings({ client, clientId }: { client: ClientRow | null; clientId: string }) {
  const of = { clientId }
  if (!client)
    return (
      <Section title="Settings">
        <p class="muted">Nothing is set for this client. Its keys have only their own rules.</p>
      </Section>
    )
  const { limits = [], quotas = [], metadata, maxKeys, parentId } = client
  return (
    <div class="stack">
      <Section
        title="Limits and quotas"
        actions={may('quotas:write') && quotas.length > 0 && <GrantUnits of={of} quotas={quotas} />}
      >
        {limits.length + quotas.length === 0 && <p class="muted">Its keys share no limit.</p>}
        <LimitGauges of={of} limits={limits} />
        <QuotaGauges of={of} quotas={quotas} />
      </Section>
      <Section title="Details">
        <dl>
          <Fact term="Keys">
            <Num value={client.keyCount} />
            {maxKeys === null ? '' : ` of at most ${maxKeys}`}
          </Fact>
          <Fact term="Parent">
            {parentId ? <ClientLink clientId={parentId} /> : <span class="muted">None</span>}
          </Fact>
          <Fact term="Addresses">
            <Tags texts={client.allowedIps} none="Accepted from everywhere" />
          </Fact>
          <Fact term="Created">
            <Time at={client.createdAt} />
          </Fact>
          <Fact term="Changed">
            <Time at={client.updatedAt} />
          </Fact>
          <MetadataFact metadata={metadata} />
        </dl>
      </Section>
    </div>
  )
}

function ClientKeys({ clientId }: { clientId: string }) {
  const keys = useData(
    may('keys:read') ? `keys-of/${clientId}` : null,
    (signal) => page<Key>('keys', { query: { clientId, limit: SHOWN }, signal }),
    { poll: 15_000 },
  )
  if (!may('keys:read')) return null
  return (
    <Section
      title="Newest keys"
      flush
      actions={
        <LinkButton small href={address(['keys'], { clientId })}>
          All keys of this client
        </LinkButton>
      }
    >
      <Load from={keys}>
        {({ rows }) =>
          rows.length === 0 ? (
            <Empty icon="keys" title="No keys" />
          ) : (
            <Table label="Keys of this client">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Status</th>
                  <th scope="col">Last used</th>
                  <th scope="col">Expires</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((key) => (
                  <tr key={key.id}>
                    <td class="name-cell">
                      <KeyLink id={key.id} name={key.name} />
                    </td>
                    <td>
                      <Status status={key.status} />
                    </td>
                    <td>
                      <Time at={key.lastUsedAt} ago none="Never" />
                    </td>
                    <td>
                      <Time at={key.expiresAt} ago none="Never" />
                    </td>
                  </tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
    </Section>
  )
}

type Asked = 'settings' | 'disable' | 'delete'

function Actions({ clientId, client }: { clientId: string; client: ClientRow | null }) {
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  const set = async (isActive: boolean, done: string) => {
    await request('PUT', 'clients', { body: { clientId, isActive } })
    clientChanged()
    tell(done)
    close()
  }
  const enable = () =>
    set(true, 'The client is enabled').catch((error: Error) => tell(error.message, true))
  const remove = async () => {
    await deleting([`client/${clientId}`, 'quota/'], async () => {
      await request('DELETE', 'clients', { query: { clientId } })
      close()
      tell('The settings of the client are deleted')
      navigate(address(['clients']))
    })
    clientChanged()
  }
  const keys = counted(client?.keyCount ?? 0, 'key')
  return (
    <>
      {may('keys:write') && (
        <LinkButton href={address(['keys', 'new'], { clientId })} icon="plus">
          Create key
        </LinkButton>
      )}
      {may('clients:write') && (
        <>
          <Button onClick={() => setAsked('settings')}>Settings</Button>
          {client?.isActive === false ? (
            <Button onClick={enable}>Enable</Button>
          ) : (
            <Button variant="risky" onClick={() => setAsked('disable')}>
              Disable
            </Button>
          )}
          {client && (
            <Button variant="risky" onClick={() => setAsked('delete')}>
              Delete settings
            </Button>
          )}
        </>
      )}
      {asked === 'settings' && <ClientSettings clientId={clientId} client={client} close={close} />}
      {asked === 'disable' && (
        <ActionDialog
          title="Disable the client"
          action="Disable client"
          danger
          onAction={() => set(false, 'The client is disabled')}
          onClose={close}
        >
          <p>
            All keys of this client{client ? ` (${keys})` : ''}, and of the clients below it, are
            refused everywhere within moments, until it is enabled again. The keys themselves stay
            as they are.
          </p>
        </ActionDialog>
      )}
      {asked === 'delete' && (
        <ActionDialog
          title="Delete the settings of the client"
          action="Delete settings"
          danger
          onAction={remove}
          onClose={close}
        >
          <p>
            {client ? `Its keys stay (${keys}) and are accepted. ` : ''}What was set for all of them
            holds no longer: limits, quotas and what was used of them, addresses, the most keys, and
            the rules of its parent.
            {client?.isActive === false && ' Keys of this disabled client will be accepted again.'}
          </p>
        </ActionDialog>
      )}
    </>
  )
}
