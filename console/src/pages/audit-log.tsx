import { address } from '../address.ts'
import { request, route } from '../api.ts'
import { AUDIT_TYPES } from '../audit.ts'
import { useData } from '../data.ts'
import { counted, instantOf, localInput } from '../format.ts'
import { navigate, place, setQuery } from '../router.ts'
import { useStore } from '../store.ts'
import { Button, LinkButton } from '../ui/button.tsx'
import { SelectField, TextField, type Choice } from '../ui/field.tsx'
import { Page, Table } from '../ui/layout.tsx'
import { Empty, Load } from '../ui/states.tsx'
import { Time } from '../ui/text.tsx'
import { EntryText, EntryType, Subject, type AuditAnswer } from './audit-entries.tsx'
import { CursorPager } from './list.tsx'
import { useTyped } from './typed.ts'

const PAGE = 50

const TYPES: Choice[] = [
  ['', 'Any type'],
  ...Object.entries(AUDIT_TYPES).sort(([, a], [, b]) => a.localeCompare(b)),
]

export function AuditLog() {
  const { query } = useStore(place)
  const filters = {
    type: query.get('type'),
    keyId: query.get('keyId'),
    from: query.get('from'),
    to: query.get('to'),
  }
  const asked = { ...filters, cursor: query.get('cursor'), limit: PAGE }
  const list = useData(
    `audit?${JSON.stringify(asked)}`,
    (signal) => request<AuditAnswer>('GET', 'keys/audit', { query: asked, signal }),
    { poll: query.get('cursor') ? undefined : 10_000, keepsPrevious: true },
  )
  const [keyId, setKeyId] = useTyped(filters.keyId ?? '', (text) =>
    setQuery({ keyId: text.trim(), cursor: null }, { replace: true }),
  )
  const hasFilters = Object.values(filters).some(Boolean)
  return (
    <Page
      title="Audit log"
      name="Audit log"
      lead="What was changed, by whom, and which attempts were refused."
      actions={
        <LinkButton href={route('audit/export', filters)} icon="download" download>
          Export CSV
        </LinkButton>
      }
    >
      <div class="filters" role="search" aria-label="Audit log">
        <SelectField
          label="Type"
          value={filters.type ?? ''}
          choices={TYPES}
          onChange={(type) => setQuery({ type, cursor: null })}
        />
        <div class="grows">
          <TextField label="Key ID" value={keyId} onChange={setKeyId} />
        </div>
        {(['from', 'to'] as const).map((name) => (
          <div key={name} class="instant">
            <TextField
              label={name === 'from' ? 'From' : 'Until'}
              type="datetime-local"
              value={localInput(filters[name])}
              onChange={(value) => setQuery({ [name]: instantOf(value), cursor: null })}
            />
          </div>
        ))}
        {hasFilters && (
          <Button variant="ghost" onClick={() => navigate(address(['audit-log']))}>
            Clear filters
          </Button>
        )}
      </div>
      <div class="panel">
        <Load from={list}>
          {({ events }) =>
            events.length === 0 ? (
              <Empty
                icon="audit"
                title={hasFilters ? 'No entry matches' : 'Nothing has happened yet'}
              />
            ) : (
              <Table label="Entries">
                <thead>
                  <tr>
                    <th scope="col">Time</th>
                    <th scope="col">What</th>
                    <th scope="col">About</th>
                    <th scope="col">Details</th>
                  </tr>
                </thead>
                <tbody>
                  {events.map((entry) => (
                    <tr key={entry.id}>
                      <td>
                        <Time at={entry.at} />
                      </td>
                      <td>
                        <EntryType entry={entry} />
                      </td>
                      <td class="name-cell">
                        <Subject entry={entry} />
                      </td>
                      <td class="details-cell">
                        <EntryText entry={entry} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </Table>
            )
          }
        </Load>
      </div>
      <CursorPager
        nextCursor={list.data?.nextCursor ?? null}
        text={counted(list.data?.events.length ?? 0, 'entry').replace('entrys', 'entries')}
      />
    </Page>
  )
}
