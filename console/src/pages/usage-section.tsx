// The usage of a key, of a client or of all keys.

import { setQuery, place } from '../router.ts'
import { useData } from '../data.ts'
import { useStore } from '../store.ts'
import { may } from '../session.ts'
import { chartOf, RANGES, rangeOf, readUsage, type Grouping } from '../usage.ts'
import { UsageChart } from '../ui/chart.tsx'
import { Segments, type Choice } from '../ui/field.tsx'
import { Section } from '../ui/layout.tsx'
import { Load, Skeleton } from '../ui/states.tsx'

const POLL = 15_000
const RANGE_CHOICES = Object.entries(RANGES).map(([name]): Choice => [name, name])

/** The range and the grouping are in the address. */
export function UsageSection({
  of,
  what,
}: {
  of: { keyId?: string; clientId?: string }
  what: string
}) {
  const { query } = useStore(place)
  const range = rangeOf(query.get('range'))
  const grouping: Grouping = query.get('group') === 'tag' ? 'tag' : 'outcome'
  const allowed = may('usage:read')
  const usage = useData(
    allowed ? `usage/${JSON.stringify(of)}/${range}/${grouping}` : null,
    async (signal) => chartOf(await readUsage(of, range, grouping, signal), grouping),
    { poll: POLL, keepsPrevious: true },
  )
  if (!allowed) return null
  return (
    <Section
      title="Usage"
      actions={
        <>
          <Segments
            label="Usage by"
            value={grouping}
            choices={[
              ['outcome', 'Outcome'],
              ['tag', 'Tag'],
            ]}
            onChange={(group) =>
              setQuery({ group: group === 'outcome' ? null : group }, { replace: true })
            }
          />
          <Segments
            label="Time range"
            value={range}
            choices={RANGE_CHOICES}
            onChange={(range) => setQuery({ range }, { replace: true })}
          />
        </>
      }
    >
      <Load from={usage} waiting={<Skeleton lines={1} height={250} />}>
        {(chart) => (
          <div class="keeps">
            <UsageChart
              chart={chart}
              bucket={RANGES[range]!.bucket}
              label={`Usage ${what} by ${grouping}, last ${RANGES[range]!.text}`}
            />
          </div>
        )}
      </Load>
    </Section>
  )
}
