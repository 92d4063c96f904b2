import { useState } from 'preact/hooks'
import { page, request } from '../api.ts'
import { changed, useData } from '../data.ts'
import { counted } from '../format.ts'
import { place, setQuery } from '../router.ts'
import { may } from '../session.ts'
import { useStore } from '../store.ts'
import type { Token } from '../types.ts'
import { Status } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import {
  SearchField,
  Check,
  Group,
  SelectField,
  TextArea,
  TextField,
  type Choice,
} from '../ui/field.tsx'
import { Issued } from '../ui/issued.tsx'
import { ActionsHead, Page, Table } from '../ui/layout.tsx'
import { Empty, Load } from '../ui/states.tsx'
import { Time } from '../ui/text.tsx'
import { tell } from '../ui/toast.tsx'
import { linesOf } from '../format.ts'
import { GRACE_PERIODS } from './key-dialogs.tsx'
import { Tags } from './key-parts.tsx'
import { CursorPager } from './list.tsx'
import { useTyped } from './typed.ts'

const PAGE = 50
const SEARCH_LENGTH = 3

type Asked = { what: 'create' } | { what: 'rotate' | 'revoke'; token: Token }

export function AdminTokens() {
  const { query } = useStore(place)
  const [asked, setAsked] = useState<Asked>()
  // The plaintext is here alone, and gone when this is.
  const [issued, setIssued] = useState<string>()
  const close = () => setAsked(undefined)
  const [typed, setTyped] = useTyped(query.get('search') ?? '', (search) =>
    setQuery({ search, cursor: null }, { replace: true }),
  )
  const text = query.get('search') ?? ''
  const search = [...text.trim()].length >= SEARCH_LENGTH ? text : null
  const asks = { search, status: query.get('status'), cursor: query.get('cursor'), limit: PAGE }
  const list = useData(
    `admin-tokens?${JSON.stringify(asks)}`,
    (signal) => page<Token>('admin-tokens', { query: asks, signal }),
    { poll: 15_000, keepsPrevious: true },
  )
  const made = (token: string) => {
    setIssued(token)
    close()
    changed('admin-tokens', 'audit')
  }
  return (
    <Page
      title="Admin tokens"
      name="Admin tokens"
      lead="Who may do what of all this. A token signs in here, and is sent by programs in x-admin-token."
      actions={
        may('admin-tokens:write') && (
          <Button variant="primary" icon="plus" onClick={() => setAsked({ what: 'create' })}>
            Create admin token
          </Button>
        )
      }
    >
      <div class="filters" role="search" aria-label="Admin tokens">
        <SearchField
          label="Search admin tokens"
          placeholder="Search by name"
          value={typed}
          onChange={setTyped}
        />
        <SelectField
          label="Status"
          hidden
          value={asks.status ?? ''}
          choices={[
            ['', 'Any status'],
            ['active', 'Active'],
            ['expired', 'Expired'],
            ['revoked', 'Revoked'],
          ]}
          onChange={(status) => setQuery({ status, cursor: null })}
        />
      </div>
      <div class="panel">
        <Load from={list}>
          {({ rows }) =>
            rows.length === 0 ? (
              <Empty
                icon="tokens"
                title={search || asks.status ? 'No token matches' : 'There are no admin tokens'}
              />
            ) : (
              <TokenTable tokens={rows} ask={setAsked} />
            )
          }
        </Load>
      </div>
      <CursorPager
        nextCursor={list.data?.nextCursor ?? null}
        text={`${counted(list.data?.rows.length ?? 0, 'token')} on this page`}
      />
      {asked?.what === 'create' && <CreateToken made={made} close={close} />}
      {asked?.what === 'rotate' && <RotateToken token={asked.token} made={made} close={close} />}
      {asked?.what === 'revoke' && <RevokeToken token={asked.token} close={close} />}
      {issued && (
        <Issued
          what="token"
          title="The new admin token"
          secret={issued}
          onSaved={() => setIssued(undefined)}
        />
      )}
    </Page>
  )
}

function TokenTable({ tokens, ask }: { tokens: Token[]; ask(asked: Asked): void }) {
  const writes = may('admin-tokens:write')
  return (
    <Table label="Admin tokens">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Status</th>
          <th scope="col">Permissions</th>
          <th scope="col">Created</th>
          <th scope="col">Last used</th>
          <th scope="col">Expires</th>
          {writes && <ActionsHead />}
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <tr key={token.id}>
            <td class="name-cell">
              <strong class="name-link" title={token.name}>
                <bdi>{token.name}</bdi>
              </strong>
              {token.description && (
                <div class="hint text-cell">
                  <bdi>{token.description}</bdi>
                </div>
              )}
            </td>
            <td>
              <Status status={token.status} />
              {isInGrace(token) && (
                <div class="hint">
                  Old one until <Time at={token.previousTokenExpiresAt} />
                </div>
              )}
            </td>
            <td style={{ minWidth: '180px' }}>
              <Permissions list={token.permissions} />
            </td>
            <td>
              <Time at={token.createdAt} ago />
            </td>
            <td>
              <Time at={token.lastUsedAt} ago none="Never" />
            </td>
            <td>
              <Time at={token.expiresAt} ago none="Not known" />
            </td>
            {writes && (
              <td>
                {token.status !== 'revoked' && (
                  <div class="row-actions">
                    <Button small variant="ghost" onClick={() => ask({ what: 'rotate', token })}>
                      Rotate<span class="for-readers"> {token.name}</span>
                    </Button>
                    <Button small variant="ghost" onClick={() => ask({ what: 'revoke', token })}>
                      Revoke<span class="for-readers"> {token.name}</span>
                    </Button>
                  </div>
                )}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

const isInGrace = ({ previousTokenExpiresAt }: Token) =>
  previousTokenExpiresAt !== null && new Date(previousTokenExpiresAt) > new Date()

function Permissions({ list }: { list: string[] }) {
  if (list.includes('*')) return <span class="tag">everything</span>
  return <Tags texts={list} none="None" />
}

const PERMISSIONS = [
  'keys:read',
  'keys:write',
  'clients:read',
  'clients:write',
  'roles:read',
  'roles:write',
  'quotas:read',
  'quotas:write',
  'usage:read',
  'audit:read',
  'metrics:read',
  'webhooks:read',
  'webhooks:write',
  'admin-tokens:read',
  'admin-tokens:write',
]

const DAYS: Choice[] = [
  ['1', '1 day'],
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', '1 year'],
]

const DAY = 86_400

function CreateToken({ made, close }: { made(token: string): void; close(): void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [all, setAll] = useState(false)
  const [chosen, setChosen] = useState<string[]>([])
  const [others, setOthers] = useState('')
  const [days, setDays] = useState('90')
  // Nobody makes a token that may do more than they may.
  const offered = PERMISSIONS.filter(may)
  const create = async () => {
    const permissions = all ? ['*'] : [...chosen, ...linesOf(others)]
    const { token } = await request<{ token: string }>('POST', 'admin-tokens', {
      body: {
        name: name.trim(),
        ...(description.trim() === '' ? {} : { description }),
        permissions,
        expiresInSeconds: Number(days) * DAY,
      },
    })
    made(token)
  }
  return (
    <ActionDialog
      title="Create an admin token"
      action="Create admin token"
      ready={name.trim() !== ''}
      wide
      onAction={create}
      onClose={close}
    >
      <TextField
        label="Name"
        maxLength={255}
        hint="A person or a program."
        value={name}
        onChange={setName}
      />
      <TextArea label="Description" rows={2} value={description} onChange={setDescription} />
      <SelectField label="Lives for" value={days} choices={DAYS} onChange={setDays} />
      <Group legend="Permissions" hint="You can give only what you have yourself.">
        <div class="actions" style={{ margin: '4px 0 8px' }}>
          <button
            type="button"
            class="link-button"
            onClick={() => setChosen(offered.filter((permission) => permission.endsWith(':read')))}
          >
            Reading only
          </button>
          <button type="button" class="link-button" onClick={() => setChosen([])}>
            None
          </button>
        </div>
        {may('*') && (
          <Check
            label="Everything"
            hint="Later permissions included"
            checked={all}
            onChange={setAll}
          />
        )}
        <div class="choices">
          {offered.map((permission) => (
            <Check
              key={permission}
              label={<code>{permission}</code>}
              checked={all || chosen.includes(permission)}
              disabled={all}
              onChange={(isIn) =>
                setChosen(
                  isIn ? [...chosen, permission] : chosen.filter((other) => other !== permission),
                )
              }
            />
          ))}
        </div>
      </Group>
      {!all && (
        <TextArea
          label="Other permissions"
          mono
          rows={1}
          hint="Of your own routes, one a line."
          value={others}
          onChange={setOthers}
        />
      )}
    </ActionDialog>
  )
}

function RotateToken({
  token,
  made,
  close,
}: {
  token: Token
  made(token: string): void
  close(): void
}) {
  const [grace, setGrace] = useState('3600')
  const rotate = async () => {
    const body = { id: token.id, gracePeriodSeconds: Number(grace) }
    const rotated = await request<{ token: string }>('PUT', 'admin-tokens', { body })
    made(rotated.token)
  }
  return (
    <ActionDialog title="Rotate the token" action="Rotate token" onAction={rotate} onClose={close}>
      <p>
        A new token replaces that of <bdi>{token.name}</bdi>. Its permissions stay.
      </p>
      <SelectField
        label="Grace period"
        value={grace}
        choices={GRACE_PERIODS}
        hint="For so long the old token is accepted too."
        onChange={setGrace}
      />
    </ActionDialog>
  )
}

function RevokeToken({ token, close }: { token: Token; close(): void }) {
  const revoke = async () => {
    await request('DELETE', 'admin-tokens', { query: { id: token.id } })
    close()
    changed('admin-tokens', 'audit')
    tell('The token is revoked')
  }
  return (
    <ActionDialog
      title="Revoke the token"
      action="Revoke token"
      danger
      onAction={revoke}
      onClose={close}
    >
      <p>
        <bdi>{token.name}</bdi> is refused for good, everywhere. Whoever is signed in here with it
        is signed out.
      </p>
    </ActionDialog>
  )
}
