// Adding units to a quota.

import { useState } from 'preact/hooks'
import { request } from '../api.ts'
import { changed } from '../data.ts'
import { numberOf } from '../key-draft.ts'
import type { QuotaRule } from '../types.ts'
import { Button } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import { SelectField, TextField, type Choice } from '../ui/field.tsx'
import { tell } from '../ui/toast.tsx'

interface GrantProps {
  of: { keyId: string } | { clientId: string }
  quotas: readonly QuotaRule[]
}

export function GrantUnits({ of, quotas }: GrantProps) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button small icon="plus" onClick={() => setOpen(true)}>
        Grant units
      </Button>
      {open && <GrantDialog of={of} quotas={quotas} close={() => setOpen(false)} />}
    </>
  )
}

function GrantDialog({ of, quotas, close }: GrantProps & { close(): void }) {
  const [name, setName] = useState(quotas[0]?.name ?? '')
  const [amount, setAmount] = useState('')
  const grant = async () => {
    await request('POST', 'quotas', { body: { ...of, name, amount: numberOf(amount) } })
    changed('quota/', 'audit')
    tell('The units are granted')
    close()
  }
  return (
    <ActionDialog
      title="Grant units"
      action="Grant"
      ready={amount.trim() !== ''}
      onAction={grant}
      onClose={close}
    >
      <p>They are added to what is left, and outlive the period.</p>
      <SelectField
        label="Quota"
        value={name}
        choices={quotas.map(({ name: quota }): Choice => [quota, quota])}
        onChange={setName}
      />
      <TextField label="Units" inputMode="numeric" value={amount} onChange={setAmount} />
    </ActionDialog>
  )
}
