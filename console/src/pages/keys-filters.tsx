// The filters of the list of keys. All of them are in the address, which is thereby a view that can be kept and shared.

import { useRef, useState } from 'preact/hooks'
import { address, keyAddress } from '../address.ts'
import { request } from '../api.ts'
import { formatDateTime, inWords, instantOf, localInput, secretIn } from '../format.ts'
import { FILTER_LABELS, FILTERS, SEARCH_LENGTH, type FilterName } from '../key-filters.ts'
import { navigate, place, setQuery } from '../router.ts'
import { useSession } from '../session.ts'
import { useStore } from '../store.ts'
import type { Verified } from '../types.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { SearchField, SelectField, TextField, type Choice } from '../ui/field.tsx'
import { Icon } from '../ui/icons.tsx'
import { tell } from '../ui/toast.tsx'
import { useTyped } from './typed.ts'

const STATUSES: Choice[] = [
  ['', 'Any status'],
  ...['active', 'expired', 'suspended', 'disabled', 'revoked'].map((status): Choice => [
    status,
    inWords(status),
  ]),
]

/** Filters that stand in the panel. */
const MORE: FilterName[] = FILTERS.filter(
  (name) => !['search', 'status', 'clientId'].includes(name),
)

export function KeyFilters() {
  const { query } = useStore(place)
  const used = MORE.filter((name) => query.get(name)).length
  const [open, setOpen] = useState(false)
  const set = (name: FilterName, value: string | null) => setQuery({ [name]: value, cursor: null })
  return (
    <>
      <div class="filters" role="search" aria-label="Keys">
        <Search />
        <SelectField
          label="Status"
          hidden
          value={query.get('status') ?? ''}
          choices={STATUSES}
          onChange={(value) => set('status', value)}
        />
        <Settled
          label="Client"
          hidden
          placeholder="Client ID"
          value={query.get('clientId') ?? ''}
          onSettle={(value) => set('clientId', value)}
        />
        <Button aria-expanded={open} onClick={() => setOpen(!open)}>
          More filters{used > 0 ? ` (${used})` : ''}
        </Button>
        {open && <MoreFilters query={query} set={set} />}
      </div>
      <Chips query={query} />
    </>
  )
}

function MoreFilters(props: {
  query: URLSearchParams
  set(name: FilterName, value: string | null): void
}) {
  const { query, set } = props
  const { scopes } = useSession()
  const instant = (name: FilterName) => (
    <TextField
      label={FILTER_LABELS[name]}
      type="datetime-local"
      value={localInput(query.get(name))}
      onChange={(value) => set(name, instantOf(value))}
    />
  )
  const metadata = query.get('metadata') ?? ''
  return (
    <div class="more-filters">
      <SelectField
        label={FILTER_LABELS.isActive}
        value={query.get('isActive') ?? ''}
        choices={[
          ['', 'Any'],
          ['true', 'Enabled'],
          ['false', 'Disabled or revoked'],
        ]}
        onChange={(value) => set('isActive', value)}
      />
      <Settled
        label={FILTER_LABELS.createdBy}
        value={query.get('createdBy') ?? ''}
        onSettle={(value) => set('createdBy', value)}
      />
      <Settled
        label={FILTER_LABELS.scope}
        list={scopes ? Object.keys(scopes) : undefined}
        value={query.get('scope') ?? ''}
        onSettle={(value) => set('scope', value)}
      />
      {instant('createdAfter')}
      {instant('createdBefore')}
      {instant('expiresBefore')}
      {instant('unusedSince')}
      <Settled
        label={FILTER_LABELS.metadata}
        placeholder={'{"team": "search"}'}
        value={metadata}
        check={(value) => (isObject(value) ? undefined : 'A JSON object')}
        onSettle={(value) => set('metadata', value)}
      />
    </div>
  )
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

interface SettledProps {
  label: string
  hidden?: boolean
  placeholder?: string
  value: string
  list?: string[]
  check?(value: string): string | undefined
  onSettle(value: string): void
}

/** A text that counts once nobody has typed for a moment. */
function Settled({ label, hidden, placeholder, value, list, check, onSettle }: SettledProps) {
  const [typed, setTyped] = useTyped(value, (text) => {
    if (text === '' || !check?.(text)) onSettle(text)
  })
  const listId = list && `choices-${label.replaceAll(' ', '-')}`
  return (
    <>
      <TextField
        label={label}
        hidden={hidden}
        placeholder={placeholder}
        list={listId}
        value={typed}
        problem={typed === '' ? undefined : check?.(typed)}
        onChange={setTyped}
      />
      {list && (
        <datalist id={listId}>
          {list.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
    </>
  )
}

/** The box that searches. A whole key that is pasted into it must not get into the address: it is looked up instead. */
function Search() {
  const { query } = useStore(place)
  const isKey = useRef(false)
  const [typed, setTyped] = useTyped(query.get('search') ?? '', (text) => {
    if (isKey.current) return
    setQuery({ search: text, cursor: null }, { replace: Boolean(query.get('search')) })
  })
  const type = (text: string) => {
    const key = secretIn(text)
    isKey.current = key !== undefined
    if (key) {
      void findKey(key)
      setTyped('')
    } else {
      setTyped(text)
    }
  }
  const length = [...typed.trim()].length
  const short = length > 0 && length < SEARCH_LENGTH
  return (
    <SearchField
      label="Search keys"
      placeholder="Search by name or description, or paste a key"
      value={typed}
      onChange={type}
      hint={short ? `At least ${SEARCH_LENGTH} characters` : undefined}
    />
  )
}

async function findKey(key: string): Promise<void> {
  try {
    const found = await request<Verified>('POST', 'keys/verify', { body: { key } })
    if (found.keyId) navigate(keyAddress(found.keyId))
    else tell('This is no key of this app', true)
  } catch {
    tell('The key could not be looked up', true)
  }
}

function Chips({ query }: { query: URLSearchParams }) {
  const used = FILTERS.filter((name) => query.get(name))
  if (used.length === 0) return null
  return (
    <div class="chips" role="group" aria-label="Filters in force">
      {used.map((name) => (
        <span class="chip" key={name}>
          <span>
            {FILTER_LABELS[name]}: <bdi>{shown(name, query.get(name) ?? '')}</bdi>
          </span>
          <IconButton
            icon="close"
            label={`Remove the filter ${FILTER_LABELS[name]}`}
            onClick={() => setQuery({ [name]: null, cursor: null })}
          />
        </span>
      ))}
      <Button small variant="ghost" onClick={() => navigate(address(['keys']))}>
        Clear all
      </Button>
    </div>
  )
}

const INSTANTS = new Set<FilterName>([
  'createdAfter',
  'createdBefore',
  'expiresBefore',
  'unusedSince',
])

function shown(name: FilterName, value: string): string {
  if (name === 'status') return inWords(value)
  if (name === 'isActive') return value === 'true' ? 'yes' : 'no'
  const at = INSTANTS.has(name) ? new Date(value) : null
  return at && !Number.isNaN(at.getTime()) ? formatDateTime(at) : value
}
