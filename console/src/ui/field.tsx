// Fields of forms: a label, a hint and a problem, tied to the control.

import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { Icon } from './icons.tsx'

interface FieldProps {
  label: string
  hint?: ComponentChildren
  problem?: string
  /** Whether the label is for readers alone. */
  hidden?: boolean
}

interface Control {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': true | undefined
}

export function Field(props: FieldProps & { children: (control: Control) => ComponentChildren }) {
  const { label, hint, problem, hidden, children } = props
  const id = useId()
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ')
  return (
    <div class="field">
      <label for={id} class={hidden ? 'for-readers' : undefined}>
        {label}
      </label>
      {children({
        id,
        'aria-describedby': described || undefined,
        'aria-invalid': problem ? true : undefined,
      })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem && (
        <p class="field-problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  )
}

interface TextFieldProps extends FieldProps {
  value: string
  onChange(value: string): void
  type?: 'text' | 'search' | 'password' | 'url' | 'datetime-local'
  placeholder?: string
  maxLength?: number
  inputMode?: 'numeric'
  required?: boolean
  autocomplete?: string
  /** The id of a `datalist`. */
  list?: string
}

export function TextField(props: TextFieldProps) {
  const { label, hint, problem, hidden, value, onChange, ...others } = props
  const attributes = {
    type: 'text',
    autocomplete: 'off',
    spellcheck: false,
    dir: 'auto',
    ...others,
  }
  return (
    <Field {...{ label, hint, problem, hidden }}>
      {(control) => (
        <input
          {...(attributes as { type: 'text' })}
          {...control}
          value={value}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

/** The box that searches a list. */
export const SearchField = (props: Omit<TextFieldProps, 'type' | 'hidden'>) => (
  <div class="search grows">
    <Icon name="search" />
    <TextField {...props} hidden type="search" />
  </div>
)

interface TextAreaProps extends FieldProps {
  value: string
  rows?: number
  mono?: boolean
  placeholder?: string
  onChange(value: string): void
}

export function TextArea(props: TextAreaProps) {
  const { label, hint, problem, hidden, value, onChange, mono, ...others } = props
  return (
    <Field {...{ label, hint, problem, hidden }}>
      {(control) => (
        <textarea
          class={mono ? 'mono' : undefined}
          spellcheck={false}
          dir="auto"
          {...others}
          {...control}
          value={value}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

/** A choice: its value, and its text. */
export type Choice = readonly [value: string, text: string]

interface SelectFieldProps extends FieldProps {
  value: string
  choices: readonly Choice[]
  onChange(value: string): void
}

export function SelectField(props: SelectFieldProps) {
  const { label, hint, problem, hidden, value, choices, onChange } = props
  return (
    <Field {...{ label, hint, problem, hidden }}>
      {(control) => (
        <select
          {...control}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          {choices.map(([choice, text]) => (
            <option key={choice} value={choice} selected={choice === value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

interface CheckProps {
  label: ComponentChildren
  hint?: string
  checked: boolean
  disabled?: boolean
  onChange(checked: boolean): void
}

export function Check({ label, hint, checked, disabled, onChange }: CheckProps) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>
        {label}
        {hint && <span class="hint">{hint}</span>}
      </span>
    </label>
  )
}

export function Group({
  legend,
  hint,
  children,
}: {
  legend: string
  hint?: string
  children: ComponentChildren
}) {
  return (
    <fieldset class="group">
      <legend>{legend}</legend>
      {hint && <p class="hint">{hint}</p>}
      {children}
    </fieldset>
  )
}

/** Choices of which one is in force, as buttons side by side. */
export function Segments(props: {
  label: string
  value: string
  choices: readonly Choice[]
  onChange(value: string): void
}) {
  const { label, value, choices, onChange } = props
  return (
    <div class="segments" role="group" aria-label={label}>
      {choices.map(([choice, text]) => (
        <button
          key={choice}
          type="button"
          aria-pressed={choice === value}
          onClick={() => onChange(choice)}
        >
          {text}
        </button>
      ))}
    </div>
  )
}
