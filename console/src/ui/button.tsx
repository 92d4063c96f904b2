import type { ButtonHTMLAttributes, ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Icon, type IconName } from './icons.tsx'
import { tell } from './toast.tsx'

/** `risky` opens a dialog in which a `danger` does what cannot be undone. */
type Variant = 'primary' | 'secondary' | 'danger' | 'risky' | 'ghost'

interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon'> {
  variant?: Variant
  icon?: IconName
  /** Whether what it does is under way: it keeps the focus, and does nothing. */
  busy?: boolean
  small?: boolean
  children?: ComponentChildren
}

const classOf = (variant: Variant, small: boolean | undefined) =>
  `button ${variant}${small ? ' small' : ''}`

export function Button(props: ButtonProps) {
  const { variant = 'secondary', icon, busy = false, small, children, onClick, ...others } = props
  return (
    <button
      type="button"
      {...others}
      class={classOf(variant, small)}
      aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
    >
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

interface LinkButtonProps {
  href: string
  variant?: Variant
  icon?: IconName
  small?: boolean
  download?: boolean
  children: ComponentChildren
}

export function LinkButton({
  href,
  variant = 'secondary',
  icon,
  small,
  ...others
}: LinkButtonProps) {
  const { children, download } = others
  return (
    <a class={classOf(variant, small)} href={href} download={download}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  )
}

/** A button that is an icon alone. */
export function IconButton({
  icon,
  label,
  onClick,
}: {
  icon: IconName
  label: string
  onClick(): void
}) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  )
}

/** Puts a text on the clipboard, and returns whether the browser allowed it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

/** Pages that are not served securely have no clipboard of their own. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  // Within a modal dialog, nothing else can have the focus.
  const host = document.querySelector('dialog[open]') ?? document.body
  host.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  return done
}

interface CopyProps {
  text: () => string
  label: string
  variant?: Variant
  /** What is told when it is done. */
  done?: string
}

export function CopyButton({ text, label, variant = 'secondary', done = 'Copied' }: CopyProps) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    const worked = await copyText(text())
    tell(worked ? done : 'The browser did not allow it: select the text instead', !worked)
    setCopied(worked)
    setTimeout(() => setCopied(false), 2_000)
  }
  return (
    <Button variant={variant} icon={copied ? 'check' : 'copy'} onClick={copy}>
      {label}
    </Button>
  )
}
