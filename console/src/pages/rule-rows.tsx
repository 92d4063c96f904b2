// Lists of limits and quotas, each a row of fields.

import type { LimitDraft, QuotaDraft } from '../key-draft.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { Check, Group, SelectField, TextField, type Choice } from '../ui/field.tsx'

const MOST = 8

interface RowsProps<T> {
  rows: T[]
  problem?: string
  onChange(rows: T[]): void
}

const replaced = <T,>(rows: T[], index: number, fields: Partial<T>): T[] =>
  rows.map((row, at) => (at === index ? { ...row, ...fields } : row))

const without = <T,>(rows: T[], index: number): T[] => rows.filter((_, at) => at !== index)

export function LimitRows({
  title,
  rows,
  problem,
  onChange,
}: RowsProps<LimitDraft> & { title: string }) {
  const add = () =>
    onChange([...rows, { name: '', limit: '', windowSeconds: '60', suspends: false }])
  return (
    <Group legend={title}>
      <div class="row-editor">
        {rows.map((row, index) => (
          <div class="row" key={index}>
            <TextField
              label="Limit"
              placeholder="tokens"
              value={row.name}
              onChange={(name) => onChange(replaced(rows, index, { name }))}
            />
            <TextField
              label="Units"
              inputMode="numeric"
              value={row.limit}
              onChange={(limit) => onChange(replaced(rows, index, { limit }))}
            />
            <TextField
              label="Window in seconds"
              inputMode="numeric"
              value={row.windowSeconds}
              onChange={(windowSeconds) => onChange(replaced(rows, index, { windowSeconds }))}
            />
            <Check
              label="Suspends"
              checked={row.suspends}
              onChange={(suspends) => onChange(replaced(rows, index, { suspends }))}
            />
            <IconButton
              icon="close"
              label={`Remove limit ${index + 1}`}
              onClick={() => onChange(without(rows, index))}
            />
          </div>
        ))}
        {problem && <p class="field-problem">{problem}</p>}
        {rows.length < MOST && (
          <div>
            <Button small icon="plus" onClick={add}>
              Add limit
            </Button>
          </div>
        )}
      </div>
    </Group>
  )
}

const PERIODS: Choice[] = [
  ['day', 'Day'],
  ['week', 'Week'],
  ['month', 'Month'],
  ['total', 'In total'],
]

export function QuotaRows({ rows, problem, onChange }: RowsProps<QuotaDraft>) {
  const add = () =>
    onChange([...rows, { name: '', amount: '', period: 'month', timeZone: '', anchorDay: '' }])
  return (
    <Group legend="Quotas">
      <div class="row-editor">
        {rows.map((row, index) => (
          <div class="row" key={index}>
            <TextField
              label="Quota"
              placeholder="tokens"
              value={row.name}
              onChange={(name) => onChange(replaced(rows, index, { name }))}
            />
            <TextField
              label="Units"
              inputMode="numeric"
              value={row.amount}
              onChange={(amount) => onChange(replaced(rows, index, { amount }))}
            />
            <SelectField
              label="Per"
              value={row.period}
              choices={PERIODS}
              onChange={(period) =>
                onChange(replaced(rows, index, { period: period as QuotaDraft['period'] }))
              }
            />
            {row.period !== 'total' && (
              <TextField
                label="Time zone"
                placeholder="UTC"
                value={row.timeZone}
                onChange={(timeZone) => onChange(replaced(rows, index, { timeZone }))}
              />
            )}
            {(row.period === 'month' || row.period === 'week') && (
              <TextField
                label="First day"
                inputMode="numeric"
                placeholder="1"
                value={row.anchorDay}
                onChange={(anchorDay) => onChange(replaced(rows, index, { anchorDay }))}
              />
            )}
            <IconButton
              icon="close"
              label={`Remove quota ${index + 1}`}
              onClick={() => onChange(without(rows, index))}
            />
          </div>
        ))}
        {problem && <p class="field-problem">{problem}</p>}
        {rows.length < MOST && (
          <div>
            <Button small icon="plus" onClick={add}>
              Add quota
            </Button>
          </div>
        )}
      </div>
    </Group>
  )
}
