import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Failed } from '../api.ts'
import { Button } from './button.tsx'
import { ErrorNote } from './states.tsx'

interface DialogProps {
  title: string
  /** Asked to close, by Escape too. */
  onClose(): void
  children: ComponentChildren
  wide?: boolean
}

/** A modal dialog of the browser, which keeps the focus within and gives it back. */
export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  const isGone = useRef(false)
  useLayoutEffect(() => {
    const dialog = element.current
    const before = openerNow()
    dialog?.showModal()
    return () => {
      isGone.current = true
      dialog?.close()
      giveFocusTo(before)
    }
  }, [])
  // A browser closes a dialog at the second Escape whatever was said to the first. One that is to stay is opened again.
  const closed = () => {
    if (isGone.current) return
    onClose()
    setTimeout(() => {
      if (!isGone.current && !element.current?.open) element.current?.showModal()
    })
  }
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClose={closed}
    >
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  )
}

/** What had the focus before any dialog. One that follows another gives the focus back to the same element. */
let opener: Element | null = null

function openerNow(): Element | null {
  const active = document.activeElement
  if (active && active !== document.body && !active.closest('dialog')) opener = active
  return opener
}

function giveFocusTo(element: Element | null): void {
  const give = () => {
    const isLost = document.activeElement === document.body
    if (isLost && element?.isConnected && !document.querySelector('dialog[open]'))
      (element as HTMLElement).focus()
  }
  give()
  // Where the element that had it was only then taken away.
  setTimeout(give)
}

interface ActionDialogProps extends DialogProps {
  /** What the button says that does it. */
  action: string
  danger?: boolean
  /** Whether the button does something yet. */
  ready?: boolean
  onAction(): Promise<unknown>
}

/** A dialog with something to do. It stays open, and says why, if that failed. */
export function ActionDialog(props: ActionDialogProps) {
  const { action, danger, ready = true, onAction, children, onClose, ...others } = props
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Failed>()
  const act = async (event: Event) => {
    event.preventDefault()
    if (busy || !ready) return
    setBusy(true)
    setError(undefined)
    try {
      await onAction()
    } catch (failed) {
      setError(failed as Failed)
      setBusy(false)
    }
  }
  return (
    <Dialog {...others} onClose={onClose}>
      <form onSubmit={act} novalidate>
        <div class="dialog-body">{children}</div>
        {error && <ErrorNote error={error} />}
        <div class="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            variant={danger ? 'danger' : 'primary'}
            busy={busy}
            disabled={!ready}
          >
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
