// A secret that is shown once: a key, an admin token, or the secret of a webhook.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { keepPage } from '../router.ts'
import { Button, CopyButton } from './button.tsx'
import { Dialog } from './dialog.tsx'
import { Note } from './states.tsx'

interface IssuedProps {
  /** What it is: `key`, `token` or `secret`. */
  what: string
  title: string
  secret: string
  /** Called when whoever sees it says that it is saved. What is shown is then gone for good. */
  onSaved(): void
}

export function Issued({ what, title, secret, onSaved }: IssuedProps) {
  const [asks, setAsks] = useState(false)
  const release = useRef<() => void>(undefined)
  useEffect(() => {
    release.current = keepPage(() => setAsks(true))
    return () => release.current?.()
  }, [])
  const saved = () => {
    release.current?.()
    onSaved()
  }
  const actions = useRef<HTMLDivElement>(null)
  // The button that asked is gone. The first one that follows it does no harm.
  useLayoutEffect(() => {
    if (asks) actions.current?.querySelector('button')?.focus()
  }, [asks])
  return (
    <Dialog title={title} onClose={() => setAsks(true)} wide>
      <div class="dialog-body">
        <p>
          This {what} is shown only now. Copy it to a safe place: nobody can show it again, not even
          the server.
        </p>
        <div class="issued">
          <code data-testid={`issued-${what}`} tabIndex={0}>
            {secret}
          </code>
          <CopyButton text={() => secret} label="Copy" done={`The ${what} is on the clipboard`} />
        </div>
        {asks && (
          <Note tone="warning">
            <p role="alert">
              Have you saved the {what}? Once this is closed, it cannot be shown again.
            </p>
          </Note>
        )}
      </div>
      <div class="dialog-actions" ref={actions}>
        {asks ? (
          <>
            <Button onClick={() => setAsks(false)}>Not yet</Button>
            <Button variant="primary" onClick={saved}>
              I have saved it
            </Button>
          </>
        ) : (
          <Button variant="primary" onClick={() => setAsks(true)}>
            Done
          </Button>
        )}
      </div>
    </Dialog>
  )
}
