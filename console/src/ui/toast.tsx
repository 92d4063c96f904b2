// Short messages of what was done, which readers say aloud.

import { store, useStore } from '../store.ts'
import { IconButton } from './button.tsx'

interface Toast {
  id: number
  text: string
  isProblem: boolean
  undo?: () => void
}

const MOST = 3
const toasts = store<Toast[]>([])
let lastId = 0

export function tell(text: string, isProblem = false, undo?: () => void): void {
  const toast = { id: (lastId += 1), text, isProblem, undo }
  toasts.set([...toasts.get(), toast].slice(-MOST))
  setTimeout(() => dismiss(toast.id), isProblem || undo ? 10_000 : 5_000)
}

const dismiss = (id: number) => toasts.set(toasts.get().filter((toast) => toast.id !== id))

export function Toasts() {
  const shown = useStore(toasts)
  return (
    <div class="toasts" role="status" aria-live="polite" aria-label="Messages">
      {shown.map(({ id, text, isProblem, undo }) => (
        <div key={id} class={isProblem ? 'toast problem' : 'toast'}>
          <span>{text}</span>
          {undo && (
            <button
              type="button"
              class="link-button"
              onClick={() => {
                dismiss(id)
                undo()
              }}
            >
              Undo
            </button>
          )}
          <IconButton icon="close" label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  )
}
