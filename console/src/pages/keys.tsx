import { useEffect, useState } from 'preact/hooks'
import { address, withQuery } from '../address.ts'
import { page, route } from '../api.ts'
import { useData } from '../data.ts'
import { counted } from '../format.ts'
import {
  FILTERS,
  filtersOf,
  isView,
  listQuery,
  orderOf,
  pageSizeOf,
  PAGE_SIZES,
  sortOf,
  views,
  type Sort,
} from '../key-filters.ts'
import { navigate, place, setQuery } from '../router.ts'
import { may } from '../session.ts'
import { useStore } from '../store.ts'
import type { Key } from '../types.ts'
import { Status } from '../ui/badge.tsx'
import { Button, CopyButton, LinkButton } from '../ui/button.tsx'
import { Icon } from '../ui/icons.tsx'
import { Page, Table } from '../ui/layout.tsx'
import { Empty, Load, Skeleton } from '../ui/states.tsx'
import { ClientLink, KeyLink, Mono, Num, Time } from '../ui/text.tsx'
import { BulkBar } from './keys-bulk.tsx'
import { KeyFilters } from './keys-filters.tsx'
import { CursorPager } from './list.tsx'

const POLL = 15_000

export function Keys() {
  const { query } = useStore(place)
  const asked = listQuery(query)
  const key = `keys?${JSON.stringify(asked)}`
  const list = useData(key, (signal) => page<Key>('keys', { query: asked, signal }), {
    poll: POLL,
    keepsPrevious: true,
  })
  const [chosen, setChosen] = useState<ReadonlyMap<string, Key>>(new Map())
  const filterKey = JSON.stringify(filtersOf(query))
  useEffect(() => setChosen(new Map()), [filterKey])

  const exported = { ...filtersOf(query), sort: sortOf(query), order: orderOf(query) }
  return (
    <Page
      title="Keys"
      name="Keys"
      actions={
        <>
          <LinkButton href={route('keys/export', exported)} icon="download" download>
            Export CSV
          </LinkButton>
          {may('keys:write') && (
            <LinkButton href={address(['keys', 'new'])} variant="primary" icon="plus">
              Create key
            </LinkButton>
          )}
        </>
      }
    >
      <Views query={query} />
      <KeyFilters />
      {may('keys:write') && (
        <BulkBar
          chosen={chosen}
          clear={() => setChosen(new Map())}
          hasFilters={filterKey !== '{}'}
          query={query}
        />
      )}
      <div class="panel">
        <Load
          from={list}
          waiting={
            <div class="section">
              <Skeleton lines={8} height={18} />
            </div>
          }
        >
          {({ rows }) =>
            rows.length === 0 ? (
              <NoKeys filtered={filterKey !== '{}'} />
            ) : (
              <KeyTable keys={rows} chosen={chosen} setChosen={setChosen} query={query} />
            )
          }
        </Load>
      </div>
      <PageSize query={query} />
      <CursorPager
        nextCursor={list.data?.nextCursor ?? null}
        text={`${counted(list.data?.rows.length ?? 0, 'key')} on this page`}
      />
    </Page>
  )
}

function Views({ query }: { query: URLSearchParams }) {
  return (
    <div class="views" role="group" aria-label="Views">
      {views(new Date()).map((view) => (
        <a
          key={view.text}
          href={address(['keys'], view.query)}
          aria-current={isView(query, view) ? 'true' : undefined}
        >
          {view.text}
        </a>
      ))}
    </div>
  )
}

function NoKeys({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <Empty title="No key matches">
        <Button onClick={() => navigate(address(['keys']))}>Clear filters</Button>
      </Empty>
    )
  return (
    <Empty icon="keys" title="There are no keys yet">
      <p>A key lets a client use your API. It is shown once, when it is made.</p>
    </Empty>
  )
}

interface KeyTableProps {
  keys: Key[]
  chosen: ReadonlyMap<string, Key>
  setChosen(chosen: ReadonlyMap<string, Key>): void
  query: URLSearchParams
}

function KeyTable({ keys, chosen, setChosen, query }: KeyTableProps) {
  const selects = may('keys:write')
  const choose = (wanted: Key[], isChosen: boolean) => {
    const next = new Map(chosen)
    for (const key of wanted) {
      if (isChosen) next.set(key.id, key)
      else next.delete(key.id)
    }
    setChosen(next)
  }
  const all = keys.every(({ id }) => chosen.has(id))
  return (
    <Table label="Keys">
      <thead>
        <tr>
          {selects && (
            <th class="select">
              <input
                type="checkbox"
                aria-label="Select all keys on this page"
                checked={all}
                onChange={() => choose(keys, !all)}
              />
            </th>
          )}
          <SortHead sort="name" query={query} text="Name" />
          <th scope="col">Status</th>
          <th scope="col">Client</th>
          <th scope="col" class="wide-only">
            Begins with
          </th>
          <SortHead sort="createdAt" query={query} text="Created" />
          <SortHead sort="lastUsedAt" query={query} text="Last used" />
          <SortHead sort="expiresAt" query={query} text="Expires" />
          <SortHead sort="usageCount" query={query} text="Uses" isNumber />
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.id} class={chosen.has(key.id) ? 'chosen' : undefined}>
            {selects && (
              <td class="select">
                <input
                  type="checkbox"
                  aria-label={`Select ${key.name}`}
                  checked={chosen.has(key.id)}
                  onChange={() => choose([key], !chosen.has(key.id))}
                />
              </td>
            )}
            <td class="name-cell">
              <KeyLink id={key.id} name={key.name} />
            </td>
            <td>
              <Status status={key.status} />
            </td>
            <td class="text-cell">
              <ClientLink clientId={key.clientId} />
            </td>
            <td class="wide-only">{key.start ? <Mono>{key.start}</Mono> : '–'}</td>
            <td>
              <Time at={key.createdAt} ago />
            </td>
            <td>
              <Time at={key.lastUsedAt} ago none="Never" />
            </td>
            <td>
              <Time at={key.expiresAt} ago none="Never" />
            </td>
            <td class="number">
              <Num value={key.usageCount} short />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

function SortHead(props: { sort: Sort; query: URLSearchParams; text: string; isNumber?: boolean }) {
  const { sort, query, text, isNumber } = props
  const isSorted = sortOf(query) === sort
  const order = orderOf(query)
  const turn = () => {
    const first = sort === 'name' || sort === 'expiresAt' ? 'asc' : 'desc'
    const next = isSorted ? (order === 'asc' ? 'desc' : 'asc') : first
    setQuery({ sort, order: next, cursor: null })
  }
  return (
    <th
      scope="col"
      class={isNumber ? 'number' : undefined}
      aria-sort={isSorted ? (order === 'asc' ? 'ascending' : 'descending') : undefined}
    >
      <button type="button" class="sort" onClick={turn}>
        {text}
        <Icon name="down" size={11} />
      </button>
    </th>
  )
}

function PageSize({ query }: { query: URLSearchParams }) {
  return (
    <div class="actions">
      <label class="for-readers" for="page-size">
        Keys per page
      </label>
      <select
        id="page-size"
        class="page-size"
        onChange={(event) => setQuery({ limit: event.currentTarget.value, cursor: null })}
      >
        {PAGE_SIZES.map((size) => (
          <option key={size} value={size} selected={size === pageSizeOf(query)}>
            {size} per page
          </option>
        ))}
      </select>
      <CopyButton
        text={() => location.origin + withQuery(address(['keys']), savedView(query))}
        label="Copy link to this view"
        variant="ghost"
      />
    </div>
  )
}

/** The view without the page. */
function savedView(query: URLSearchParams): URLSearchParams {
  const kept = new URLSearchParams()
  for (const name of [...FILTERS, 'sort', 'order', 'limit']) {
    const value = query.get(name)
    if (value) kept.set(name, value)
  }
  return kept
}
