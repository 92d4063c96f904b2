import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteClient, setClient, verifyApiKey } = addon

useAddon()

// What this process has changed holds from the moment on at which its call ends.

const codeOf = async (key: string, ip?: string): Promise<string> =>
  (await verifyApiKey(key, { ip })).code

test('a change by this process holds at once, however warm its keys are', async () => {
  await setClient({ clientId: 'parent' })
  await setClient({ clientId: 'child', parentId: 'parent' })
  const { key } = await createApiKey({ name: 'n', clientId: 'child' })
  for (let round = 0; round < 20; round++) {
    for (const clientId of ['child', 'parent']) {
      expect(await codeOf(key)).toBe('VALID')
      await setClient({ clientId, isActive: false })
      expect(await codeOf(key)).toBe('CLIENT_DISABLED')
      await setClient({ clientId, isActive: true })
    }
    expect(await codeOf(key, '10.0.0.2')).toBe('VALID')
    await setClient({ clientId: 'child', allowedIps: ['10.0.0.1'] })
    expect(await codeOf(key, '10.0.0.2')).toBe('IP_NOT_ALLOWED')
    await setClient({ clientId: 'child', allowedIps: null })
  }
})

test('deleting a disabled client lets its keys in again', async () => {
  const { key } = await createApiKey({ name: 'n', clientId: 'disabled' })
  await setClient({ clientId: 'disabled', isActive: false })
  expect(await codeOf(key)).toBe('CLIENT_DISABLED')
  await deleteClient('disabled')
  expect(await codeOf(key)).toBe('VALID')
})

test('a key that was made before its client is disabled with it', async () => {
  const { key } = await createApiKey({ name: 'n', clientId: 'later' })
  expect(await codeOf(key)).toBe('VALID')
  await setClient({ clientId: 'later', isActive: false })
  expect(await codeOf(key)).toBe('CLIENT_DISABLED')
})
