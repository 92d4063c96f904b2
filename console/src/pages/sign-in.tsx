import { useEffect, useRef, useState } from 'preact/hooks'
import { farewell, signIn } from '../session.ts'
import { linkProblem } from '../start.ts'
import { useStore } from '../store.ts'
import { Button } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { Icon } from '../ui/icons.tsx'

export function SignIn() {
  const [token, setToken] = useState('')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState(linkProblem.get())
  const said = useStore(farewell)
  const fromLink = useStore(linkProblem)
  const form = useRef<HTMLFormElement>(null)
  useEffect(() => {
    document.title = 'Sign in · API keys'
    form.current?.querySelector('input')?.focus()
  }, [])
  useEffect(() => {
    if (fromLink) setProblem(`This link cannot be used: ${lowerFirst(fromLink)}`)
  }, [fromLink])

  const submit = async (event: Event) => {
    event.preventDefault()
    if (busy) return
    if (token.trim() === '') return setProblem('Paste an admin token.')
    setBusy(true)
    setProblem(null)
    const result = await signIn({ token: token.trim() })
    setBusy(false)
    setToken('')
    linkProblem.set(null)
    if (result.ok) return
    setProblem(result.message)
    form.current?.querySelector('input')?.focus()
  }

  return (
    <main class="lonely">
      <form class="card sign-in" onSubmit={submit} ref={form}>
        <span class="brand-mark large" aria-hidden="true">
          <Icon name="keys" size={24} />
        </span>
        <h1>Sign in</h1>
        <p class="muted">Manage the API keys of this app.</p>
        {said && !problem && (
          <p class="note info" role="status">
            {said}
          </p>
        )}
        {problem && (
          <p class="note problem" role="alert">
            {problem}
          </p>
        )}
        <TextField
          label="Admin token"
          type="password"
          value={token}
          onChange={setToken}
          autocomplete="off"
          hint={
            <>
              It is sent once, and then forgotten by this page. For a link that signs in once, run{' '}
              <code>npx @sophra/api-keys console link</code>.
            </>
          }
        />
        <Button type="submit" variant="primary" busy={busy}>
          Sign in
        </Button>
      </form>
    </main>
  )
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
