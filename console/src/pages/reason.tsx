// Why a key is revoked.

import { useState } from 'preact/hooks'
import type { RevocationReason } from '../types.ts'
import { SelectField, TextField, type Choice } from '../ui/field.tsx'
import { Note } from '../ui/states.tsx'

export const REASONS: Record<RevocationReason, string> = {
  unspecified: 'Unspecified',
  superseded: 'Superseded',
  compromised: 'Compromised',
  affiliation_changed: 'Affiliation changed',
  cessation: 'Cessation of operation',
  unused: 'Unused',
  abuse: 'Abuse',
}

export const reasonText = (reason: string): string => REASONS[reason as RevocationReason] ?? reason

export function useReason() {
  const [reason, setReason] = useState<string>('unspecified')
  const [note, setNote] = useState('')
  const fields = { reason, ...(note.trim() === '' ? {} : { note: note.trim() }) }
  return { reason, setReason, note, setNote, fields }
}

export function ReasonFields({ reason }: { reason: ReturnType<typeof useReason> }) {
  return (
    <>
      <SelectField
        label="Reason"
        value={reason.reason}
        choices={Object.entries(REASONS) as Choice[]}
        onChange={reason.setReason}
      />
      {reason.reason === 'compromised' && (
        <Note tone="warning">A key that is revoked as compromised can never be restored.</Note>
      )}
      <TextField
        label="Note"
        maxLength={255}
        hint="What happened, for the audit log. It may be left empty."
        value={reason.note}
        onChange={reason.setNote}
      />
    </>
  )
}
