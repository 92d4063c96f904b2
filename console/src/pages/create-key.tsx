import { useRef, useState } from 'preact/hooks'
import { address, keyAddress } from '../address.ts'
import { Failed, request } from '../api.ts'
import { keyChanged } from '../changes.ts'
import {
  DraftProblem,
  emptyDraft,
  newKeyOf,
  problemsByField,
  PUBLISHABLE,
  type KeyDraft,
} from '../key-draft.ts'
import { navigate } from '../router.ts'
import { may, useSession } from '../session.ts'
import type { Session } from '../types.ts'
import { Button, LinkButton } from '../ui/button.tsx'
import { Issued } from '../ui/issued.tsx'
import { Page } from '../ui/layout.tsx'
import { ErrorNote, Note } from '../ui/states.tsx'
import { KeyForm } from './key-form.tsx'

export function CreateKey() {
  const { kinds, environments } = useSession()
  const first = { kind: secretKind(kinds), environment: environments[0] ?? '' }
  const [draft, setDraft] = useState(() => {
    const clientId = new URLSearchParams(location.search).get('clientId') ?? ''
    return emptyDraft({ ...first, clientId })
  })
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Failed>()
  const [problems, setProblems] = useState<Record<string, string>>({})
  // The plaintext is here alone: in no address, no storage and no history. It is gone when this is.
  const [issued, setIssued] = useState<{ id: string; key: string }>()
  // A repeated request makes no second key.
  const idempotencyKey = useRef(newId())

  const set = (fields: Partial<KeyDraft>) => {
    setDraft((before) => ({ ...before, ...fields }))
    idempotencyKey.current = newId()
  }
  const create = async (event: Event) => {
    event.preventDefault()
    if (busy) return
    setError(undefined)
    setProblems({})
    setBusy(true)
    try {
      const { id, key } = await request<{ id: string; key: string }>('POST', 'keys', {
        body: newKeyOf(draft),
        headers: { 'idempotency-key': idempotencyKey.current },
      })
      setIssued({ id, key })
      keyChanged(id)
    } catch (failed) {
      showProblem(failed)
    }
    setBusy(false)
  }
  const showProblem = (failed: unknown) => {
    if (failed instanceof DraftProblem) setProblems({ [failed.field]: failed.message })
    if (!(failed instanceof Failed)) return
    setProblems(problemsByField(failed.issues))
    setError(failed)
  }
  const saved = () => {
    const id = issued?.id
    setIssued(undefined)
    if (id) navigate(keyAddress(id), { replace: true })
  }

  const back = { href: address(['keys']), text: 'Keys' }
  if (!may('keys:write'))
    return (
      <Page title="Create key" name="Create key" back={back}>
        <Note tone="info">You may look at keys, and not create them.</Note>
      </Page>
    )
  return (
    <Page title="Create key" name="Create key" back={back}>
      <form class="form" onSubmit={create} novalidate>
        <Presets draft={draft} set={set} />
        <KeyForm draft={draft} set={set} problems={problems} isNew />
        {error && <ErrorNote error={error} />}
        <div class="actions">
          <Button type="submit" variant="primary" busy={busy}>
            Create key
          </Button>
          <LinkButton href={address(['keys'])}>Cancel</LinkButton>
        </div>
      </form>
      {issued && (
        <Issued what="key" title="The key was created" secret={issued.key} onSaved={saved} />
      )}
    </Page>
  )
}

/** Pages that are not served securely have no `randomUUID`. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The kind that a key has unless another is chosen: never one that everybody may see. */
const secretKind = (kinds: Session['kinds']): string =>
  Object.keys(kinds ?? {}).find((kind) => kind !== PUBLISHABLE) ?? ''

interface Preset {
  title: string
  hint: string
  fields: Partial<KeyDraft>
}

function Presets({ draft, set }: { draft: KeyDraft; set(fields: Partial<KeyDraft>): void }) {
  const { kinds, environments } = useSession()
  const names = Object.keys(kinds ?? {})
  const secret = secretKind(kinds)
  const live = environments.includes('live') ? 'live' : ''
  const presets: Preset[] = [
    {
      title: 'Server',
      hint: 'Lives for a year',
      fields: {
        kind: secret,
        environment: live,
        expiry: '365',
        rateLimit: '',
        rateLimitWindowSeconds: '',
      },
    },
    {
      title: 'Trial',
      hint: '30 days, 60 a minute',
      fields: {
        kind: secret,
        environment: live,
        expiry: '30',
        rateLimit: '60',
        rateLimitWindowSeconds: '60',
      },
    },
  ]
  if (names.includes(PUBLISHABLE))
    presets.push({
      title: 'Web page',
      hint: 'Publishable, for browsers',
      fields: {
        kind: PUBLISHABLE,
        environment: live,
        expiry: '365',
        originRule: 'some',
        scopes: [],
      },
    })
  if (environments.includes('test'))
    presets.push({
      title: 'Test',
      hint: 'Never reaches live data',
      fields: {
        kind: secret,
        environment: 'test',
        expiry: '90',
        rateLimit: '',
        rateLimitWindowSeconds: '',
      },
    })
  const isChosen = (fields: Partial<KeyDraft>) =>
    Object.entries(fields).every(
      ([field, value]) => JSON.stringify(draft[field as keyof KeyDraft]) === JSON.stringify(value),
    )
  return (
    <div class="presets" role="group" aria-label="Presets">
      {presets.map(({ title, hint, fields }) => (
        <button
          key={title}
          type="button"
          class="preset"
          aria-pressed={isChosen(fields)}
          onClick={() => set(fields)}
        >
          <strong>{title}</strong>
          <span class="hint">{hint}</span>
        </button>
      ))}
    </div>
  )
}
