import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, createAdminToken, verifyAdminToken, verifyApiKey } = addon

useAddon({ jwtSecret: 'of 31 bytes, one less than need' })

test('a short JWT secret fails what needs it', async () => {
  for (const call of [() => createAdminToken({ name: 'Ops' }), () => verifyAdminToken('a.b.c')]) {
    const fault = await faultOf(call)
    expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
    expect(fault.message).toContain('JWT_SECRET')
    expect(fault.message).not.toContain('31 bytes, one less')
  }
})

test('and nothing else', async () => {
  const { key } = await createApiKey({ name: 'Key', clientId: 'c' })
  expect((await verifyApiKey(key)).valid).toBe(true)
  expect((await addon.health()).status).toBe('ok')
})
