// What every page consists of.

import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Icon } from './icons.tsx'

interface PageProps {
  /** The heading; a text of a user is put in `bdi`. */
  title: ComponentChildren
  /** The title of the window. */
  name: string
  back?: { href: string; text: string }
  lead?: ComponentChildren
  actions?: ComponentChildren
  children: ComponentChildren
}

export function Page({ title, name, back, lead, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${name} · API keys`
  }, [name])
  // A reader begins with what a new page is about; the first one begins where the browser does.
  useEffect(() => {
    if (isFirst) isFirst = false
    else heading.current?.focus({ preventScroll: true })
  }, [])
  return (
    <>
      <header class="page-header">
        {back && (
          <a class="back" href={back.href}>
            <Icon name="left" size={14} />
            {back.text}
          </a>
        )}
        <div class="page-title">
          <div class="page-heading">
            <h1 ref={heading} tabIndex={-1}>
              {title}
            </h1>
            {lead && <div class="lead">{lead}</div>}
          </div>
          {actions && <div class="actions">{actions}</div>}
        </div>
      </header>
      {children}
    </>
  )
}

let isFirst = true

interface SectionProps {
  title: string
  hint?: ComponentChildren
  actions?: ComponentChildren
  /** Whether its content touches its edges, as a table does. */
  flush?: boolean
  children: ComponentChildren
}

export function Section({ title, hint, actions, flush, children }: SectionProps) {
  const id = useId()
  return (
    <section class={flush ? 'section flush' : 'section'} aria-labelledby={id}>
      <div class="section-header">
        <div>
          <h2 id={id}>{title}</h2>
          {hint && <p class="hint">{hint}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </div>
      {children}
    </section>
  )
}

/** A table that scrolls sideways within itself where there is little room. */
export function Table({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="table-scroll" role="group" aria-label={label} tabIndex={0}>
      <table>{children}</table>
    </div>
  )
}

/** The heading above the buttons of rows. */
export const ActionsHead = () => (
  <th scope="col">
    <span class="for-readers">Actions</span>
  </th>
)
