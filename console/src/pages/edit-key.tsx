import { useState } from 'preact/hooks'
import { keyAddress } from '../address.ts'
import { Failed, request } from '../api.ts'
import { keyChanged } from '../changes.ts'
import { useData } from '../data.ts'
import { changesOf, DraftProblem, draftOf, problemsByField } from '../key-draft.ts'
import { navigate } from '../router.ts'
import { useSession } from '../session.ts'
import type { Key } from '../types.ts'
import { Button, LinkButton } from '../ui/button.tsx'
import { Page } from '../ui/layout.tsx'
import { ErrorNote, Load } from '../ui/states.tsx'
import { tell } from '../ui/toast.tsx'
import { KeyForm } from './key-form.tsx'

export function EditKey({ id }: { id: string }) {
  const key = useData(`key/${id}`, (signal) =>
    request<Key>('GET', `keys/${encodeURIComponent(id)}`, { signal }),
  )
  return (
    <Page title="Edit key" name="Edit key" back={{ href: keyAddress(id), text: 'Back to the key' }}>
      <Load from={key}>{(apiKey) => <Form apiKey={apiKey} />}</Load>
    </Page>
  )
}

function Form({ apiKey }: { apiKey: Key }) {
  const { scopes } = useSession()
  // What was there when the form was opened, whatever is read meanwhile.
  const [before] = useState(apiKey)
  const [draft, setDraft] = useState(() => draftOf(apiKey, Object.keys(scopes ?? {})))
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Failed>()
  const [problems, setProblems] = useState<Record<string, string>>({})
  const { id } = apiKey

  const save = async (event: Event) => {
    event.preventDefault()
    if (busy) return
    setError(undefined)
    setProblems({})
    setBusy(true)
    try {
      const changes = changesOf(before, draft)
      if (Object.keys(changes).length > 0)
        await request('PATCH', 'keys', { body: { id, ...changes } })
      tell('The key is saved')
      keyChanged(id)
      navigate(keyAddress(id))
    } catch (failed) {
      if (failed instanceof DraftProblem) setProblems({ [failed.field]: failed.message })
      if (failed instanceof Failed) {
        setProblems(problemsByField(failed.issues))
        setError(failed)
      }
      setBusy(false)
    }
  }
  return (
    <form class="form" onSubmit={save} novalidate>
      <KeyForm
        draft={draft}
        set={(fields) => setDraft((current) => ({ ...current, ...fields }))}
        problems={problems}
        isNew={false}
      />
      {error && <ErrorNote error={error} />}
      <div class="actions">
        <Button type="submit" variant="primary" busy={busy}>
          Save
        </Button>
        <LinkButton href={keyAddress(id)}>Cancel</LinkButton>
      </div>
    </form>
  )
}
