// What holds for all keys of a client.

import { useState } from 'preact/hooks'
import { Failed, request } from '../api.ts'
import { clientChanged } from '../changes.ts'
import { linesOf } from '../format.ts'
import {
  DraftProblem,
  limitDrafts,
  limitsOf,
  metadataOf,
  numberOf,
  problemsByField,
  quotaDrafts,
  quotasOf,
} from '../key-draft.ts'
import type { ClientRow } from '../types.ts'
import { ActionDialog } from '../ui/dialog.tsx'
import { TextArea, TextField } from '../ui/field.tsx'
import { tell } from '../ui/toast.tsx'
import { LimitRows, QuotaRows } from './rule-rows.tsx'

const draftOf = (client: ClientRow | null) => ({
  name: client?.name ?? '',
  maxKeys: client?.maxKeys == null ? '' : String(client.maxKeys),
  parentId: client?.parentId ?? '',
  allowedIps: (client?.allowedIps ?? []).join('\n'),
  limits: limitDrafts(client?.limits),
  quotas: quotaDrafts(client?.quotas),
  metadata: client?.metadata ? JSON.stringify(client.metadata, null, 2) : '',
})

type Draft = ReturnType<typeof draftOf>

const bodyOf = (draft: Draft) => ({
  name: draft.name.trim() === '' ? null : draft.name.trim(),
  maxKeys: numberOf(draft.maxKeys),
  parentId: draft.parentId.trim() === '' ? null : draft.parentId.trim(),
  allowedIps: linesOf(draft.allowedIps),
  limits: limitsOf(draft.limits),
  quotas: quotasOf(draft.quotas),
  metadata: metadataOf(draft.metadata),
})

interface ClientSettingsProps {
  clientId: string
  client: ClientRow | null
  close(): void
}

export function ClientSettings({ clientId, client, close }: ClientSettingsProps) {
  const [before] = useState(() => draftOf(client))
  const [draft, setDraft] = useState(before)
  const [problems, setProblems] = useState<Record<string, string>>({})
  const set = (fields: Partial<Draft>) => setDraft((current) => ({ ...current, ...fields }))
  const save = async () => {
    setProblems({})
    try {
      await request('PUT', 'clients', { body: { clientId, ...changesOf(before, draft) } })
    } catch (error) {
      if (error instanceof DraftProblem) {
        setProblems({ [error.field]: error.message })
        throw new Failed(0, { error: `${error.field}: ${error.message}` })
      }
      if (error instanceof Failed) setProblems(problemsByField(error.issues))
      throw error
    }
    clientChanged()
    tell('The settings are saved')
    close()
  }
  return (
    <ActionDialog title="Settings of the client" action="Save" wide onAction={save} onClose={close}>
      <div class="fields">
        <TextField
          label="Name"
          maxLength={255}
          value={draft.name}
          problem={problems.name}
          onChange={(name) => set({ name })}
        />
        <TextField
          label="Most keys"
          inputMode="numeric"
          placeholder="Any number"
          value={draft.maxKeys}
          problem={problems.maxKeys}
          onChange={(maxKeys) => set({ maxKeys })}
        />
        <div class="wide">
          <TextField
            label="Parent"
            placeholder="None"
            hint="A client whose rules hold for this one too."
            value={draft.parentId}
            problem={problems.parentId}
            onChange={(parentId) => set({ parentId })}
          />
        </div>
        <div class="wide">
          <TextArea
            label="Addresses"
            mono
            rows={2}
            hint="IP addresses and networks, one a line. Empty: everywhere."
            value={draft.allowedIps}
            problem={problems.allowedIps}
            onChange={(allowedIps) => set({ allowedIps })}
          />
        </div>
        <LimitRows
          title="Limits"
          rows={draft.limits}
          problem={problems.limits}
          onChange={(limits) => set({ limits })}
        />
        <QuotaRows
          rows={draft.quotas}
          problem={problems.quotas}
          onChange={(quotas) => set({ quotas })}
        />
        <div class="wide">
          <TextArea
            label="Metadata"
            mono
            rows={2}
            value={draft.metadata}
            problem={problems.metadata}
            onChange={(metadata) => set({ metadata })}
          />
        </div>
      </div>
    </ActionDialog>
  )
}

/** Only what was changed is sent, so that nobody's other change is undone. */
function changesOf(before: Draft, draft: Draft): Record<string, unknown> {
  const was: Record<string, unknown> = bodyOf(before)
  const entries = Object.entries(bodyOf(draft))
  return Object.fromEntries(
    entries.filter(([name, value]) => JSON.stringify(was[name]) !== JSON.stringify(value)),
  )
}
