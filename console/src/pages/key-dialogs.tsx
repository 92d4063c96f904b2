// Rotating, revoking and deleting a key.

import { useState } from 'preact/hooks'
import { address } from '../address.ts'
import { request } from '../api.ts'
import { keyChanged } from '../changes.ts'
import { changed, deleting } from '../data.ts'
import { navigate } from '../router.ts'
import type { Key } from '../types.ts'
import { ActionDialog } from '../ui/dialog.tsx'
import { SelectField, TextField, type Choice } from '../ui/field.tsx'
import { Issued } from '../ui/issued.tsx'
import { tell } from '../ui/toast.tsx'
import { ReasonFields, useReason } from './reason.tsx'

interface DialogProps {
  apiKey: Key
  close(): void
}

export const GRACE_PERIODS: Choice[] = [
  ['0', 'None: the old one ends at once'],
  ['3600', '1 hour'],
  ['86400', '24 hours'],
  ['604800', '7 days'],
  ['2592000', '30 days'],
]

export function RotateKey({ apiKey: { id, name }, close }: DialogProps) {
  const [grace, setGrace] = useState('86400')
  // The new key is here alone, and gone when this is.
  const [issued, setIssued] = useState<string>()
  if (issued !== undefined)
    return <Issued what="key" title="The new key" secret={issued} onSaved={close} />
  const rotate = async () => {
    const body = { id, regenerateKey: true, gracePeriodSeconds: Number(grace) }
    const { key } = await request<{ key: string }>('PUT', 'keys', { body })
    setIssued(key)
    keyChanged(id)
  }
  return (
    <ActionDialog title="Rotate the key" action="Rotate key" onAction={rotate} onClose={close}>
      <p>
        A new key replaces that of <bdi>{name}</bdi>. Its id, its settings and its usage stay.
      </p>
      <SelectField
        label="Grace period"
        value={grace}
        choices={GRACE_PERIODS}
        onChange={setGrace}
        hint="For so long the old key is accepted too, so that clients can change over."
      />
    </ActionDialog>
  )
}

export function RevokeKey({ apiKey: { id, name }, close }: DialogProps) {
  const reason = useReason()
  const revoke = async () => {
    await request('POST', 'keys/revocation', { body: { id, ...reason.fields } })
    tell('The key is revoked')
    keyChanged(id)
    close()
  }
  return (
    <ActionDialog
      title="Revoke the key"
      action="Revoke key"
      danger
      onAction={revoke}
      onClose={close}
    >
      <p>
        <bdi>{name}</bdi> is refused everywhere within moments, and so is an old key in its grace
        period. It can be restored, unless it was compromised.
      </p>
      <ReasonFields reason={reason} />
    </ActionDialog>
  )
}

export function DeleteKey({ apiKey: { id, name }, close }: DialogProps) {
  const [typed, setTyped] = useState('')
  const remove = async () => {
    await deleting([`key/${id}`, 'quota/'], async () => {
      await request('DELETE', 'keys', { query: { id } })
      close()
      tell('The key is deleted')
      navigate(address(['keys']))
    })
    changed('keys', 'audit', 'overview', 'client')
  }
  return (
    <ActionDialog
      title="Delete the key for good"
      action="Delete key"
      danger
      ready={typed === 'delete'}
      onAction={remove}
      onClose={close}
    >
      <p>
        The row of <bdi>{name}</bdi> is removed and cannot be restored. Its usage and its entries in
        the audit log are kept for as long as they would be.
      </p>
      <TextField label="Type “delete” to confirm" value={typed} onChange={setTyped} />
    </ActionDialog>
  )
}
