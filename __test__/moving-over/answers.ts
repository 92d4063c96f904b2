import type { Sent } from './requests.js'

export interface Answer {
  status: number
  headers: Headers
  body: any
}

export async function send(url: string, { method, path, headers, body }: Sent): Promise<Answer> {
  const response = await fetch(url + path, { method, headers, body })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** The headers of the old app, and those that tell its clients something. */
const HEADERS = [
  'content-type',
  'x-ignored-fields',
  'link',
  'retry-after',
  'location',
  'set-cookie',
]
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** In what the new answer differs from the old one: a line for each thing, with what was sent where it decides. */
export function differences(sent: Sent, old: Answer, fresh: Answer): string[] {
  return [
    ...(old.status === fresh.status ? [] : [statusOf(sent, old, fresh)]),
    ...headersOf(old, fresh),
    ...(old.status < 400 && fresh.status < 400 ? shownIn(sent, old.body, fresh.body) : []),
    ...(fresh.status >= 400 ? errorIn(old, fresh) : []),
  ]
}

function statusOf({ method, body }: Sent, old: Answer, fresh: Answer): string {
  const { code, issues = [] } = fresh.body
  const wrong = issues.map(({ path }: { path: string }) => `${path} ${valueOf(body, path)}`)
  const taken = fresh.status < 400 ? [body] : []
  return [method, old.status, '→', fresh.status, code, ...wrong, ...taken].filter(Boolean).join(' ')
}

/** What was sent under this name, in short. */
function valueOf(body: string | undefined, path: string): string {
  try {
    const [field] = path.split(/[.[]/)
    return JSON.stringify(JSON.parse(body!)[field!])?.slice(0, 40) ?? 'absent'
  } catch {
    return 'unreadable'
  }
}

function headersOf(old: Answer, fresh: Answer): string[] {
  return HEADERS.flatMap((name) => {
    const [was, is] = [old, fresh].map(({ headers }) => headers.get(name))
    // The parameters of a type are not compared.
    if (was?.split(';')[0] === is?.split(';')[0]) return []
    return (is?.split(', ') ?? ['none']).map((value) => `header ${name}: ${value}`)
  })
}

function errorIn(old: Answer, { status, body }: Answer): string[] {
  const added = Object.keys(body).filter((name) => !(name in old.body))
  const isOther = old.status === status && old.body.error !== body.error
  return [
    ...(old.status < 400 ? [] : added.map((name) => `an error has ${name}`)),
    ...(isOther ? [`message ${old.body.error} → ${body.error}`] : []),
  ]
}

function shownIn(sent: Sent, old: any, fresh: any): string[] {
  if (!Array.isArray(old)) return fieldsIn(sent, old, fresh)
  if (old.length !== fresh.length) return [`${sent.path}: ${old.length} → ${fresh.length} keys`]
  return [...new Set(old.flatMap((key, at) => fieldsIn(sent, key, fresh[at])))]
}

function fieldsIn(sent: Sent, old: any, fresh: any): string[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
  return names.flatMap((name) => {
    const at = `${sent.method} ${name}`
    if (!(name in old)) return [`new: ${name}`]
    if (!(name in fresh)) return [`missing: ${at}`]
    const [was, is] = [old[name], fresh[name]].map((value) => normal(sent, name, value))
    return was === is ? [] : [`${at}: ${was} → ${is}`]
  })
}

/** What differs by nature, as what it is. */
function normal({ method }: Sent, name: string, value: unknown): string {
  if (method === 'POST' && name === 'id') return typeof value
  if (name === 'key') return typeof value
  const isNow = name === 'updatedAt' || (name === 'createdAt' && method === 'POST')
  return isNow && INSTANT.test(String(value)) ? 'an instant' : JSON.stringify(value)
}
