'use client'
'use strict'

// `@sophra/api-keys/react`: a client's own keys on a page of the app, by way of the routes of `clientKeyRoutes`. On a server it renders
// what is shown while the keys are being loaded, without any hook: there may be two copies of React, of which only one renders.

const React = require('react')
const TEXTS = require('./react-texts.js')

const { createElement: h } = React
const isServer = typeof window === 'undefined'

/** Keys that are loaded at most. */
const MOST = 1_000
const DAY_SECONDS = 86_400

/** A refusal or an error of the routes. */
class ApiKeysRequestError extends Error {
  constructor(status, body) {
    super(typeof body?.error === 'string' ? body.error : 'The request failed')
    this.status = status
    this.code = typeof body?.code === 'string' ? body.code : undefined
    this.issues = Array.isArray(body?.issues) ? body.issues : undefined
  }
}
Object.defineProperty(ApiKeysRequestError.prototype, 'name', { value: 'ApiKeysRequestError' })

async function ask(baseUrl, path, init = {}) {
  const body = init.body === undefined ? {} : { body: JSON.stringify(init.body) }
  const response = await fetch(baseUrl + path, {
    ...init,
    ...body,
    cache: 'no-store',
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      ...(body.body && { 'content-type': 'application/json' }),
    },
  })
  const answer = await response.json().catch(() => undefined)
  // A page to sign in that was redirected to is no answer either.
  if (!response.ok || answer === undefined) throw new ApiKeysRequestError(response.status, answer)
  return answer
}

const NOTHING = { keys: [], status: 'loading', error: null }

/** The keys of the client, and what can be done with them. */
exports.useApiKeys = (options) => {
  const { baseUrl = '/api/account/keys' } = options ?? {}
  return isServer ? { ...NOTHING, ...actionsOf(baseUrl, () => {}) } : useLoadedKeys(baseUrl)
}

function useLoadedKeys(baseUrl) {
  const [state, setState] = React.useState(NOTHING)
  const actions = React.useMemo(() => actionsOf(baseUrl, setState), [baseUrl])
  React.useEffect(() => {
    const leaving = new AbortController()
    void actions.load(leaving.signal)
    return () => leaving.abort()
  }, [actions])
  return { ...state, ...actions }
}

function actionsOf(baseUrl, setState) {
  const load = async (signal) => {
    setState((state) => ({ ...state, status: 'loading', error: null }))
    try {
      const keys = await ask(baseUrl, `?limit=${MOST}`, { signal })
      setState({ keys, status: 'ready', error: null })
    } catch (error) {
      if (!signal?.aborted) setState((state) => ({ ...state, status: 'failed', error }))
    }
  }
  /** Changes a key, which is shown from then on as it was answered, without its plaintext. */
  const change = async (method, path, body) => {
    const key = await ask(baseUrl, path, { method, body })
    const { key: _, ...shown } = key
    setState((state) => ({ ...state, keys: withKey(state.keys, shown) }))
    return key
  }
  const at = (id) => `/${encodeURIComponent(id)}`
  return {
    load,
    reload: () => load(),
    create: (input) => change('POST', '', input),
    rename: (id, name) => change('PATCH', at(id), { name }),
    rotate: (id, input = {}) => change('POST', `${at(id)}/rotate`, input),
    revoke: (id, input = {}) => change('POST', `${at(id)}/revoke`, input),
  }
}

/** The keys with this one: in the place of its former state, or first. */
function withKey(keys, changed) {
  const isKnown = keys.some(({ id }) => id === changed.id)
  return isKnown ? keys.map((key) => (key.id === changed.id ? changed : key)) : [changed, ...keys]
}

/** The keys of a client: a list, with what it takes to create, rename, rotate and revoke them. */
exports.ApiKeys = (props) => (isServer ? h(Frame, frameOf(props)) : h(LiveKeys, props))

const frameOf = (props) => ({ className: props.className, texts: textsOf(props.texts) })

function textsOf(own = {}) {
  const { status, errors, ...others } = own
  return {
    ...TEXTS,
    ...others,
    status: { ...TEXTS.status, ...status },
    errors: { ...TEXTS.errors, ...errors },
  }
}

/** What is there from the beginning. It is the same on a server. */
function Frame({ className, texts, isBusy = true, children }) {
  return h(
    'section',
    {
      className: ['sophra-keys', className].filter(Boolean).join(' '),
      'aria-label': texts.title,
      'aria-busy': isBusy,
    },
    h('h2', { className: 'sophra-keys__title' }, texts.title),
    children ?? h('p', { className: 'sophra-keys__note' }, texts.loading),
  )
}

const PERMISSIONS = ['create', 'rename', 'rotate', 'revoke']

function LiveKeys(props) {
  const { baseUrl, newKey, gracePeriodSeconds = DAY_SECONDS, locale } = props
  const { permissions = PERMISSIONS } = props
  const frame = frameOf(props)
  const { texts } = frame
  const keys = exports.useApiKeys({ baseUrl })
  const uid = React.useId()
  const idOf = (part, key) => `${uid}-${part}${key ? `-${key.id}` : ''}`
  // What is being done: { what: 'rename' | 'revoke', id }.
  const [open, setOpen] = React.useState(null)
  const [issued, setIssued] = React.useState(null)
  const [failure, setFailure] = React.useState(null)
  const [said, setSaid] = React.useState('')
  const [isBusy, setBusy] = React.useState(false)
  const focus = useFocus()
  const heldUp = React.useRef(false)

  /** Does one thing at a time, and tells how it went. */
  const run = async (where, action, then) => {
    if (heldUp.current) return
    heldUp.current = true
    setBusy(true)
    setFailure(null)
    setSaid('')
    try {
      then(await action())
    } catch (error) {
      setFailure({ where, text: textOf(error, texts) })
    } finally {
      heldUp.current = false
      setBusy(false)
    }
  }
  const close = (to) => {
    setOpen(null)
    setFailure(null)
    focus(to)
  }
  const show = (key, returnTo) => {
    setIssued({ key, returnTo })
    focus(idOf('issued'))
  }
  const alertAt = (where) => failure?.where === where && h(Alert, { text: failure.text })
  const when = (text) => dateIn(locale, text)

  if (keys.status === 'failed')
    return h(
      Frame,
      { ...frame, isBusy: false },
      h(Alert, { text: textOf(keys.error, texts) }),
      h(Button, { onClick: () => void keys.reload() }, texts.retry),
    )
  if (keys.status === 'loading' && keys.keys.length === 0) return h(Frame, frame)

  const create = (name, clear) =>
    run(
      'create',
      () => keys.create({ ...newKey, name }),
      (key) => {
        clear()
        show(key, idOf('create'))
      },
    )
  const rotate = (key) =>
    run(
      key.id,
      () => keys.rotate(key.id, { gracePeriodSeconds }),
      (rotated) => show(rotated, idOf('rotate', key)),
    )
  const rename = (key, name) =>
    run(
      key.id,
      () => keys.rename(key.id, name),
      () => {
        close(idOf('rename', key))
        setSaid(texts.renamed)
      },
    )
  const revoke = (key) =>
    run(
      key.id,
      () => keys.revoke(key.id),
      () => {
        close(idOf('row', key))
        setSaid(texts.revoked)
      },
    )

  /** What can be done with a key, or what is being done. */
  const deeds = (key) => {
    if (open?.id === key.id && open.what === 'rename')
      return h(NameForm, {
        ...{ id: idOf('new-name', key), label: texts.name, name: key.name, isBusy },
        ...{ submit: texts.save, cancel: texts.cancel, onSubmit: (name) => rename(key, name) },
        onCancel: () => close(idOf('rename', key)),
      })
    if (open?.id === key.id)
      return h(
        'div',
        { className: 'sophra-keys__question', role: 'group', 'aria-labelledby': idOf('ask', key) },
        h('p', { id: idOf('ask', key) }, h('bdi', null, texts.revokeQuestion(key.name))),
        h(
          Button,
          { id: idOf('confirm', key), kind: 'danger', isBusy, onClick: () => void revoke(key) },
          texts.confirmRevoke,
        ),
        h(Button, { onClick: () => close(idOf('revoke', key)) }, texts.cancel),
      )
    const button = (what, onClick) =>
      permissions.includes(what) &&
      h(
        Button,
        { id: idOf(what, key), 'aria-describedby': idOf('name', key), isBusy, onClick },
        texts[what],
      )
    const opening = (what, to) => () => {
      setOpen({ what, id: key.id })
      setFailure(null)
      setSaid('')
      focus(idOf(to, key))
    }
    return h(
      'div',
      { className: 'sophra-keys__actions' },
      button('rename', opening('rename', 'new-name')),
      button('rotate', () => void rotate(key)),
      button('revoke', opening('revoke', 'confirm')),
    )
  }

  const row = (key) =>
    h(
      'li',
      { key: key.id, id: idOf('row', key), className: 'sophra-keys__key', tabIndex: -1 },
      h(
        'p',
        { className: 'sophra-keys__name', id: idOf('name', key) },
        h('bdi', { title: key.name }, key.name),
      ),
      h(
        'p',
        { className: 'sophra-keys__facts' },
        h(
          'span',
          { className: classOf('status', key.status) },
          texts.status[key.status] ?? key.status,
        ),
        key.start && h('span', null, texts.beginsWith(key.start)),
        key.expiresAt && h('span', null, texts.expires(when(key.expiresAt))),
        h('span', null, key.lastUsedAt ? texts.lastUsed(when(key.lastUsedAt)) : texts.neverUsed),
      ),
      key.status !== 'revoked' && deeds(key),
      alertAt(key.id),
    )

  return h(
    Frame,
    { ...frame, isBusy: isBusy || keys.status === 'loading' },
    issued &&
      h(IssuedKey, {
        ...{ id: idOf('issued'), issued: issued.key, texts, when },
        onDone: () => {
          setIssued(null)
          focus(issued.returnTo)
        },
      }),
    h('p', { className: 'sophra-keys__said', role: 'status' }, said),
    keys.keys.length === 0
      ? h('p', { className: 'sophra-keys__note' }, texts.empty)
      : h('ul', { className: 'sophra-keys__list' }, keys.keys.map(row)),
    // One field of a name at a time.
    permissions.includes('create') &&
      open?.what !== 'rename' &&
      h(NameForm, {
        ...{ id: idOf('create'), label: texts.name, name: '', submit: texts.create, isBusy },
        ...{ kind: 'primary', onSubmit: create },
      }),
    alertAt('create'),
  )
}

/** Focuses an element once it is there, so that the keyboard goes on where people are. */
function useFocus() {
  const wanted = React.useRef(null)
  React.useEffect(() => {
    const element = wanted.current && document.getElementById(wanted.current)
    if (!element) return
    wanted.current = null
    element.focus()
  })
  return (id) => {
    wanted.current = id
  }
}

function NameForm({ id, label, name, submit, cancel, kind, isBusy, onSubmit, onCancel }) {
  const [value, setValue] = React.useState(name)
  return h(
    'form',
    {
      className: 'sophra-keys__form',
      onSubmit: (event) => {
        event.preventDefault()
        if (value.trim() !== '') void onSubmit(value.trim(), () => setValue(''))
      },
      onKeyDown: (event) => {
        if (event.key === 'Escape') onCancel?.()
      },
    },
    h('label', { htmlFor: id }, label),
    h('input', {
      ...{ id, value, required: true, autoComplete: 'off', className: 'sophra-keys__input' },
      onChange: (event) => setValue(event.target.value),
    }),
    h(Button, { type: 'submit', kind, isBusy }, submit),
    onCancel && h(Button, { onClick: onCancel }, cancel),
  )
}

function IssuedKey({ id, issued, texts, when, onDone }) {
  const code = React.useRef(null)
  const [said, setSaid] = React.useState('')
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(issued.key)
      setSaid(texts.copied)
    } catch {
      // Not a secure page, or not permitted.
      window.getSelection()?.selectAllChildren(code.current)
      setSaid(texts.notCopied)
    }
  }
  return h(
    'div',
    {
      ...{ id, className: 'sophra-keys__issued', role: 'group', tabIndex: -1 },
      'aria-label': texts.issued(issued.name),
    },
    h('p', { className: 'sophra-keys__name' }, h('bdi', null, texts.issued(issued.name))),
    h(
      'code',
      { ref: code, className: 'sophra-keys__plaintext', 'data-testid': 'issued-key' },
      issued.key,
    ),
    h('p', { className: 'sophra-keys__warning' }, texts.warning),
    issued.previousKeyExpiresAt &&
      h(
        'p',
        { className: 'sophra-keys__note' },
        texts.graceEnds(when(issued.previousKeyExpiresAt)),
      ),
    h(
      'div',
      { className: 'sophra-keys__actions' },
      h(Button, { kind: 'primary', onClick: () => void copy() }, texts.copy),
      h(Button, { onClick: onDone }, texts.done),
    ),
    h('p', { className: 'sophra-keys__said', role: 'status' }, said),
  )
}

/** The class of an element, and that of the kind of element that it is. */
const classOf = (element, kind) =>
  [`sophra-keys__${element}`, `sophra-keys__${element}--${kind}`].join(' ')

/** A button that stays in place while something is under way: one that is disabled would lose the focus. */
function Button({ kind = 'plain', type = 'button', isBusy = false, onClick, children, ...others }) {
  const className = classOf('button', kind)
  const disabled = isBusy ? { 'aria-disabled': true } : {}
  return h('button', { ...others, ...disabled, type, className, onClick }, children)
}

const Alert = ({ text }) => h('p', { className: 'sophra-keys__error', role: 'alert' }, text)

/** What went wrong, for people. The server says which field of the input it was. */
function textOf(error, texts) {
  const known = Object.hasOwn(texts.errors, error.code ?? '') && texts.errors[error.code]
  if (known) return known
  const issues = (error.issues ?? []).map(({ path, message }) => `${path} ${message}`.trim())
  return issues.length > 0 ? issues.join(', ') : texts.failed
}

function dateIn(locale, text) {
  const format = { dateStyle: 'medium', timeStyle: 'short' }
  return new Intl.DateTimeFormat(locale, format).format(new Date(text))
}

exports.ApiKeysRequestError = ApiKeysRequestError
