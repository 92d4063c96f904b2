import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting, type Issued } from '../support/setting.js'
import { stats } from '../support/stats.js'

const { verifyApiKey, warmUp } = addon

const setting = useSetting()

const insert = (clientId: string, columns = '', values = ''): Promise<unknown> =>
  setting.sql(
    `INSERT INTO sophra_api_keys.clients (client_id${columns && `, ${columns}`})
     VALUES ($1${values && `, ${values}`})`,
    [clientId],
  )
const update = (clientId: string, assignment: string): Promise<unknown> =>
  setting.sql(`UPDATE sophra_api_keys.clients SET ${assignment} WHERE client_id = $1`, [clientId])
const remove = (clientId: string): Promise<unknown> =>
  setting.sql(`DELETE FROM sophra_api_keys.clients WHERE client_id = $1`, [clientId])

let clients = 0
const newClient = (): string => `client-${(clients += 1)}`
const codeOf = async (
  { key }: Issued,
  context?: Parameters<typeof verifyApiKey>[1],
): Promise<string> => (await verifyApiKey(key, context)).code

/** A key of a new client without a row. */
async function warmKey(): Promise<Issued> {
  const [key] = await setting.warmKeys(1, { clientId: newClient() })
  return key!
}

const answers = (key: Issued, code: string): Promise<void> =>
  eventually(async () => expect(await codeOf(key)).toBe(code))

describe('the client of a key', () => {
  test('is null in an answer as long as it has no row, and has its metadata once it does', async () => {
    const key = await warmKey()
    expect(await verifyApiKey(key.key)).toMatchObject({ valid: true, client: null })
    await insert(key.clientId)
    await eventually(async () =>
      expect(await verifyApiKey(key.key)).toMatchObject({ client: { metadata: null } }),
    )
    await update(key.clientId, `metadata = '{"plan": "pro", "seats": 1.50}'`)
    await eventually(async () =>
      expect(await verifyApiKey(key.key)).toMatchObject({
        client: { metadata: { plan: 'pro', seats: 1.5 } },
      }),
    )
    const warm = await verifyApiKey(key.key)
    const cold = await setting.peer.run(({ api }, key) => api.verifyApiKey(key), key.key)
    expect(warm).toEqual(cold)
    expect(Object.keys(warm)).toEqual(Object.keys(cold))
    await remove(key.clientId)
    await eventually(async () =>
      expect(await verifyApiKey(key.key)).toMatchObject({ client: null }),
    )
  })

  test('is its own, not one above it', async () => {
    const [parent, child] = [newClient(), newClient()]
    await insert(parent, 'metadata', `'{"of": "parent"}'`)
    await insert(child, 'parent_id', `'${parent}'`)
    const [key] = await setting.coldKeys(1, { clientId: child })
    for (let time = 0; time < 2; time += 1)
      expect(await verifyApiKey(key!.key)).toMatchObject({ client: { metadata: null } })
  })

  test('cannot be told by a refusal', async () => {
    const key = await warmKey()
    await insert(key.clientId, 'is_active, metadata', `false, '{"secret": true}'`)
    await answers(key, 'CLIENT_DISABLED')
    expect(await verifyApiKey(key.key)).toEqual({
      valid: false,
      code: 'CLIENT_DISABLED',
      status: 401,
      message: 'Invalid API key',
      keyId: key.id,
    })
  })
})

describe('a disabled client', () => {
  test('refuses its keys in every process, and lets them in again, without a hash', async () => {
    const clientId = newClient()
    await insert(clientId)
    const keys = await setting.warmKeys(20, { clientId })
    const there = (): Promise<string[]> =>
      setting.peer.run(
        async ({ api }, keys) =>
          (await Promise.all(keys.map((key) => api.verifyApiKey(key)))).map(({ code }) => code),
        keys.map(({ key }) => key),
      )
    const before = stats().hashes
    for (const [active, code] of [
      [false, 'CLIENT_DISABLED'],
      [true, 'VALID'],
    ] as const) {
      await update(clientId, `is_active = ${active}`)
      await setting.caughtUp()
      for (const key of keys) expect(await codeOf(key)).toBe(code)
      await eventually(async () => expect(new Set(await there())).toEqual(new Set([code])))
    }
    expect(stats().hashes).toBe(before)
  })

  test('costs one statement, however many keys it has', async () => {
    const clientId = newClient()
    await insert(clientId)
    const keys = await setting.warmKeys(200, { clientId })
    for (const active of [false, true]) {
      await update(clientId, `is_active = ${active}`)
      await setting.caughtUp()
      const { selects, hashes, statements } = await setting.cost(() =>
        Promise.all(keys.map((key) => codeOf(key))),
      )
      expect({ selects, hashes }).toEqual({ selects: 0, hashes: 0 })
      expect(statements).toHaveLength(1)
      for (const key of keys) expect(await codeOf(key)).toBe(active ? 'VALID' : 'CLIENT_DISABLED')
    }
  })

  test('comes before expiry and after the key itself', async () => {
    const clientId = newClient()
    await insert(clientId, 'is_active', 'false')
    const expiresAt = new Date(Date.now() - 1_000)
    const [expired, disabled] = [
      ...(await setting.coldKeys(1, { clientId, expiresAt })),
      ...(await setting.coldKeys(1, { clientId, isActive: false })),
    ]
    expect(await codeOf(expired!)).toBe('CLIENT_DISABLED')
    expect(await codeOf(disabled!)).toBe('DISABLED')
  })

  test('is refused whatever the session that disables it does', async () => {
    const key = await warmKey()
    await insert(key.clientId)
    await answers(key, 'VALID')
    await setting.sql(
      `SET session_replication_role = replica;
       UPDATE sophra_api_keys.clients SET is_active = false WHERE client_id = '${key.clientId}';
       RESET session_replication_role`,
    )
    await refusalOf(key.key)
  })

  test('and TRUNCATE lets all in again', async () => {
    const key = await warmKey()
    await insert(key.clientId, 'is_active', 'false')
    await answers(key, 'CLIENT_DISABLED')
    await setting.sql('TRUNCATE sophra_api_keys.clients')
    await answers(key, 'VALID')
  })

  test('is refused also if the key was loaded before anybody presented it', async () => {
    const clientId = newClient()
    await insert(clientId)
    const [key] = await setting.coldKeys(1, { clientId })
    await setting.sql(`UPDATE "ApiKey" SET "lastUsedAt" = now() WHERE "id" = $1`, [key!.id])
    await warmUp()
    await update(clientId, 'is_active = false')
    await setting.caughtUp()
    expect(await codeOf(key!)).toBe('CLIENT_DISABLED')
  })
})

describe('the clients above', () => {
  async function family(): Promise<{ names: string[]; key: Issued }> {
    const names = [newClient(), newClient(), newClient()]
    const [grandparent, parent, child] = names
    await insert(grandparent!)
    await insert(parent!, 'parent_id', `'${grandparent}'`)
    await insert(child!, 'parent_id', `'${parent}'`)
    const [key] = await setting.warmKeys(1, { clientId: child! })
    return { names, key: key! }
  }

  test('each refuse the keys below them', async () => {
    const { names, key } = await family()
    for (const name of names) {
      await update(name, 'is_active = false')
      await answers(key, 'CLIENT_DISABLED')
      await update(name, 'is_active = true')
      await answers(key, 'VALID')
    }
  })

  test('each hold their addresses beside those of the key', async () => {
    const { names, key } = await family()
    const [grandparent, parent] = names
    await update(grandparent!, `allowed_ips = '{10.0.0.0/8}'`)
    await update(parent!, `allowed_ips = '{10.1.0.0/16,192.168.0.0/16}'`)
    await answers(key, 'IP_NOT_ALLOWED')
    expect(await codeOf(key, { ip: '10.1.2.3' })).toBe('VALID')
    expect(await codeOf(key, { ip: '10.2.2.3' })).toBe('IP_NOT_ALLOWED')
    expect(await codeOf(key, { ip: '192.168.1.1' })).toBe('IP_NOT_ALLOWED')
    // A list that cannot be read never means everyone.
    await update(parent!, `allowed_ips = '{10.1.0.0/16,NULL}'`)
    await eventually(async () =>
      expect(await codeOf(key, { ip: '10.1.2.3' })).toBe('IP_NOT_ALLOWED'),
    )
  })

  test('are others as soon as a client has another parent', async () => {
    const { names, key } = await family()
    const other = newClient()
    await insert(other, 'is_active', 'false')
    await update(names[1]!, `parent_id = '${other}'`)
    await answers(key, 'CLIENT_DISABLED')
    // What was above does not matter any more.
    await update(names[1]!, 'parent_id = NULL')
    await answers(key, 'VALID')
    await update(names[0]!, 'is_active = false')
    await setting.caughtUp()
    expect(await codeOf(key)).toBe('VALID')
  })

  test.each([
    ['a cycle of one', (names: string[]) => update(names[0]!, `parent_id = client_id`)],
    ['a cycle of three', (names: string[]) => update(names[0]!, `parent_id = '${names[2]}'`)],
    ['a fourth level', (names: string[]) => insert(newClient(), 'parent_id', `'${names[2]}'`)],
    [
      'a fourth level from above',
      async (names: string[]) => {
        const top = newClient()
        await insert(top)
        await update(names[0]!, `parent_id = '${top}'`)
      },
    ],
  ])('cannot be %s, whoever writes the table', async (_what, write) => {
    const { names } = await family()
    await expect(write(names)).rejects.toMatchObject({ constraint: 'clients_parent_levels' })
  })

  test('hold also if a parent appears after its child', async () => {
    const [parent, child] = [newClient(), newClient()]
    await setting.sql(
      `SET session_replication_role = replica;
       INSERT INTO sophra_api_keys.clients (client_id, parent_id) VALUES ('${child}', '${parent}');
       RESET session_replication_role`,
    )
    const [key] = await setting.warmKeys(1, { clientId: child })
    await insert(parent, 'is_active', 'false')
    await answers(key!, 'CLIENT_DISABLED')
  })

  test('cannot become a cycle by two changes at once', async () => {
    const [one, other] = [newClient(), newClient()]
    await insert(one)
    await insert(other)
    const written = await Promise.allSettled([
      update(one, `parent_id = '${other}'`),
      update(other, `parent_id = '${one}'`),
    ])
    expect(written.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })
})

test('a key that moves to another client is that client’s at once', async () => {
  const [from, to] = [newClient(), newClient()]
  await insert(from, 'is_active', 'false')
  await insert(to, 'metadata', `'{"name": "to"}'`)
  const [key] = await setting.coldKeys(1, { clientId: from })
  expect(await codeOf(key!)).toBe('CLIENT_DISABLED')
  await setting.sql(`UPDATE "ApiKey" SET "clientId" = $1 WHERE "id" = $2`, [to, key!.id])
  await answers(key!, 'VALID')
  expect(await verifyApiKey(key!.key)).toMatchObject({ client: { metadata: { name: 'to' } } })
})

test('clients without a row cost no statement when others change', async () => {
  const keys = await setting.warmKeys(20, { clientId: newClient() })
  await insert(newClient(), 'is_active', 'false')
  await setting.caughtUp()
  const { statements } = await setting.cost(() => Promise.all(keys.map((key) => codeOf(key))))
  expect(statements).toEqual([])
})
