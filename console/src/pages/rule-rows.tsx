// Lists of limits and quotas, each a row of fields.

import type { ComponentChildren } from 'preact'
import type { LimitDraft, QuotaDraft } from '../key-draft.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { Check, Group, SelectField, TextField, type Choice } from '../ui/field.tsx'

const MOST = 8

interface RowsProps<T> {
  rows: T[]
  problem?: string
  onChange(rows: T[]): void
}

interface RowEditorProps<T> extends RowsProps<T> {
  legend: string
  /** What a row is, in the names of buttons. */
  what: string
  /** A row as it is added. */
  fresh: T
  /** The fields of a row. */
  children(row: T, set: (fields: Partial<T>) => void): ComponentChildren
}

function RowEditor<T>(props: RowEditorProps<T>) {
  const { legend, what, fresh, rows, problem, onChange, children } = props
  const set = (index: number) => (fields: Partial<T>) =>
    onChange(rows.map((row, at) => (at === index ? { ...row, ...fields } : row)))
  return (
    <Group legend={legend}>
      <div class="row-editor">
        {rows.map((row, index) => (
          <div class="row" key={index}>
            {children(row, set(index))}
            <IconButton
              icon="close"
              label={`Remove ${what} ${index + 1}`}
              onClick={() => onChange(rows.filter((_, at) => at !== index))}
            />
          </div>
        ))}
        {problem && <p class="field-problem">{problem}</p>}
        {rows.length < MOST && (
          <div>
            <Button small icon="plus" onClick={() => onChange([...rows, fresh])}>
              Add {what}
            </Button>
          </div>
        )}
      </div>
    </Group>
  )
}

const FRESH_LIMIT: LimitDraft = { name: '', limit: '', windowSeconds: '60', suspends: false }

export function LimitRows({ title, ...rows }: RowsProps<LimitDraft> & { title: string }) {
  return (
    <RowEditor legend={title} what="limit" fresh={FRESH_LIMIT} {...rows}>
      {(row, set) => (
        <>
          <TextField
            label="Limit"
            placeholder="tokens"
            value={row.name}
            onChange={(name) => set({ name })}
          />
          <TextField
            label="Units"
            inputMode="numeric"
            value={row.limit}
            onChange={(limit) => set({ limit })}
          />
          <TextField
            label="Window in seconds"
            inputMode="numeric"
            value={row.windowSeconds}
            onChange={(windowSeconds) => set({ windowSeconds })}
          />
          <Check
            label="Suspends"
            checked={row.suspends}
            onChange={(suspends) => set({ suspends })}
          />
        </>
      )}
    </RowEditor>
  )
}

const PERIODS: Choice[] = [
  ['day', 'Day'],
  ['week', 'Week'],
  ['month', 'Month'],
  ['total', 'In total'],
]

const FRESH_QUOTA: QuotaDraft = {
  name: '',
  amount: '',
  period: 'month',
  timeZone: '',
  anchorDay: '',
}

export function QuotaRows(rows: RowsProps<QuotaDraft>) {
  return (
    <RowEditor legend="Quotas" what="quota" fresh={FRESH_QUOTA} {...rows}>
      {(row, set) => (
        <>
          <TextField
            label="Quota"
            placeholder="tokens"
            value={row.name}
            onChange={(name) => set({ name })}
          />
          <TextField
            label="Units"
            inputMode="numeric"
            value={row.amount}
            onChange={(amount) => set({ amount })}
          />
          <SelectField
            label="Per"
            value={row.period}
            choices={PERIODS}
            onChange={(period) => set({ period: period as QuotaDraft['period'] })}
          />
          {row.period !== 'total' && (
            <TextField
              label="Time zone"
              placeholder="UTC"
              value={row.timeZone}
              onChange={(timeZone) => set({ timeZone })}
            />
          )}
          {(row.period === 'month' || row.period === 'week') && (
            <TextField
              label="First day"
              inputMode="numeric"
              placeholder="1"
              value={row.anchorDay}
              onChange={(anchorDay) => set({ anchorDay })}
            />
          )}
        </>
      )}
    </RowEditor>
  )
}
