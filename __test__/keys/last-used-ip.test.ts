import { describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

const { close, configure, createApiKey, flush, getApiKey, verifyApiKey } = addon

const database = useAddon({ lastUsedIp: 'on' })

const create = (): ReturnType<typeof createApiKey> => createApiKey({ name: 'n', clientId: 'c' })

/** Uses a key from an address: the one that is shown afterwards. */
async function from(id: string, key: string, ip?: string): Promise<string | null> {
  await verifyApiKey(key, { ip })
  await flush()
  return (await getApiKey(id))!.lastUsedIp
}

describe('the address of the last use', () => {
  test('is that of the last accepted verify that had one', async () => {
    const { id, key } = await create()
    expect((await getApiKey(id))!.lastUsedIp).toBeNull()
    expect(await from(id, key, '192.0.2.1')).toBe('192.0.2.1')
    await verifyApiKey(key, { ip: '192.0.2.2' })
    expect(await from(id, key, '2001:db8::3')).toBe('2001:db8::3')
    expect(await from(id, key)).toBe('2001:db8::3')
    expect(await from(id, key, 'nonsense')).toBe('2001:db8::3')
  })

  test('is not that of a refused verify', async () => {
    const { id, key } = await createApiKey({ name: 'n', clientId: 'c', allowedIps: ['192.0.2.1'] })
    expect(await from(id, key, '192.0.2.1')).toBe('192.0.2.1')
    expect(await from(id, key, '192.0.2.2')).toBe('192.0.2.1')
    await verifyApiKey(key, { ip: '192.0.2.1', peek: true })
    expect((await getApiKey(id))!.usageCount).toBe(1)
  })

  test('is neither stored nor kept where that is off', async () => {
    const { id, key } = await create()
    expect(await from(id, key, '192.0.2.1')).toBe('192.0.2.1')
    await close()
    configure({ databaseUrl: database.url(), ...cheapHashing })
    expect((await getApiKey(id))!.lastUsedIp).toBe('192.0.2.1')
    expect(await from(id, key, '192.0.2.2')).toBeNull()
  })
})
