/** A request as a client of the old app may have sent it. `id` is that of a row of its own. */
export interface Sent {
  method: string
  path: string
  headers: Record<string, string>
  body?: string
}

/** The credentials that the requests present; the rows exist in both databases. */
export interface Credentials {
  /** Tokens by what is special about them. */
  tokens: Record<
    'good' | 'monitoring' | 'another' | 'unsigned' | 'expired' | 'revoked' | 'deleted' | 'user',
    string
  >
  keys: Record<'good' | 'disabled' | 'expired' | 'listed' | 'limited' | 'unknown', string>
}

const KEYS = '/api/keys'
const CHANGES = ['PUT', 'PATCH']

/** What a field was set to, in forms, scripts and by mistake. */
const VALUES: Record<string, unknown[]> = {
  name: ['Name “x” 😀', 'n'.repeat(255), 'n'.repeat(256), '', ' ', 'two\nlines', null, 5, ['n']],
  clientId: ['a b', '', null, 7],
  description: ['text', '', 'd'.repeat(2_000), 'd'.repeat(2_001), '\0', null, 5],
  isActive: [true, false, 'yes', null],
  rateLimit: [1, 1_000_000, 1_000_001, 0, -1, 1.5, '100', 2 ** 31, true, null],
  allowedIps: [
    [],
    ['10.0.0.1', '10.0.0.0/8', '::1'],
    ['nonsense'],
    [''],
    '10.0.0.1',
    '',
    [5],
    null,
  ],
  expiresAt: [
    '2094-01-02T03:04:05.678Z',
    '2094-01-02T03:04:05+02:00',
    '2094-01-02T03:04:05.678901Z',
    '2094-01-02',
    '2094-01-02T03:04',
    '2094-01-02T03:04:05',
    '2094',
    'Fri, 02 Jan 2094 03:04:05 GMT',
    '01/02/2094',
    '2020-01-01T00:00:00.000Z',
    3_912_462_245_678,
    '3912462245678',
    0,
    '',
    'tomorrow',
    '2094-13-01T00:00:00Z',
    true,
    false,
    [],
    {},
    null,
  ],
  // What nobody may set here.
  usageCount: [5, '5'],
  createdAt: ['2020-01-01T00:00:00.000Z'],
  // What the old app did not know.
  colour: ['red', null],
  scopes: [['docs:read'], 'docs:read'],
  metadata: [{ plan: 'free' }, 'free'],
}

/** Every request, with the row that it is about. */
export function requestsOf({ tokens, keys }: Credentials, rowOf: (n: number) => string): Sent[] {
  const sent: Sent[] = []
  const admin = { 'x-admin-token': tokens.good, 'content-type': 'application/json' }
  const add = (
    method: string,
    {
      query = '',
      headers = admin,
      body,
    }: { query?: string; headers?: object; body?: unknown } = {},
  ) =>
    sent.push({
      method,
      path: KEYS + query,
      headers: headers as Record<string, string>,
      body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
    })
  const row = () => rowOf(sent.length)

  // Before anything is changed, so that both list the same.
  for (const query of ['', '?', '?colour=red', '?page=2', '?id=x', '?_=1700000000'])
    add('GET', { query })
  for (const query of ['?limit=abc', '?isActive=false', '?search=no such name', '?clientId=nobody'])
    add('GET', { query })

  for (const [field, values] of Object.entries(VALUES))
    for (const value of values) {
      add('POST', { body: { name: 'Search', clientId: 'acme', [field]: value } })
      for (const method of CHANGES) add(method, { body: { id: row(), [field]: value } })
    }

  for (const method of ['POST', ...CHANGES]) {
    const key = `a-key-of-my-own-by-${method}`
    add(method, { body: { id: row(), name: 'Search', clientId: 'acme', key } })
  }
  add('POST', { body: { name: 'Search' } })
  add('POST', { body: { clientId: 'acme' } })
  add('POST', { body: {} })
  add('POST', { body: { name: 'Search', clientId: 'acme', id: 'mine' } })
  for (const body of ['', '{"name":', 'name=Search', '[]', 'null', '"text"', '5'])
    for (const method of ['POST', ...CHANGES]) add(method, { body })
  add('POST', { body: { name: 'Search', clientId: 'acme', description: 'd'.repeat(300_000) } })

  for (const method of CHANGES) {
    add(method, { body: { id: row() } })
    add(method, { body: { name: 'x' } })
    for (const id of ['', null, 0, 5, 'unknown']) add(method, { body: { id, name: 'x' } })
    for (const regenerateKey of [true, false, 'yes', null])
      add(method, { body: { id: row(), regenerateKey } })
    add(method, {
      body: { id: row(), name: 'x', isActive: false, rateLimit: 5, description: null },
    })
  }
  for (const query of ['', '?id=', '?id=unknown', '?ID=row']) add('DELETE', { query })
  for (let time = 0; time < 3; time++) add('DELETE', { query: `?id=${row()}` })

  const presented: Record<string, string>[] = [
    {},
    { 'x-admin-token': '' },
    { authorization: `Bearer ${tokens.good}` },
    { 'x-admin-token': 'invalid-token' },
    { 'x-admin-token': 'a.b.c' },
    ...Object.values(tokens).map((token) => ({ 'x-admin-token': token })),
  ]
  for (const headers of presented) {
    add('PUT', { headers, body: { id: row(), name: 'x' } })
    add('POST', { headers, body: { name: 'Search', clientId: 'acme' } })
    add('DELETE', { headers, query: `?id=${row()}` })
  }

  const asClient: Record<string, string>[] = [
    {},
    { 'x-api-key': '' },
    ...Object.values(keys).map((key) => ({ 'x-api-key': key })),
    // Once more than the limit, and again while it is suspended.
    { 'x-api-key': keys.limited },
    { 'x-api-key': keys.limited },
    // Who the client is cannot be claimed.
    { 'x-api-key': keys.good, 'x-authenticated-client': 'me', 'x-api-key-name': 'mine' },
    { authorization: `Bearer ${keys.good}` },
  ]
  for (const headers of asClient) sent.push({ method: 'GET', path: '/api/search?q=shoes', headers })
  return sent
}
