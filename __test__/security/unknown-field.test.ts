import { expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

useAddon()

test('a key in the place of a field name is not repeated', async () => {
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  const calls = [
    () => untyped['createApiKey']!({ name: 'n', clientId: 'c', [key]: 1 }),
    () => untyped['verifyApiKey']!(key, { [key]: 1 }),
    () => untyped['listApiKeys']!({ [key]: 1 }),
  ]
  for (const call of calls) {
    const { issues } = await faultOf(call)
    expect(issues).toEqual([{ path: key.slice(0, 24), message: 'is not a known field' }])
  }
})
