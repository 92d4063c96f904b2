import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useApp } from '../support/example-app.js'
import * as openapi from './openapi/document.js'

const app = useApp({ API_KEYS_WEBHOOKS: 'off' })

/** The permission that each route for admins asks for. */
const WANTED: Record<string, string> = {
  'GET /api/keys': 'keys:read',
  'POST /api/keys': 'keys:write',
  'PUT /api/keys': 'keys:write',
  'PATCH /api/keys': 'keys:write',
  'DELETE /api/keys': 'keys:write',
  'POST /api/keys/revocation': 'keys:write',
  'DELETE /api/keys/revocation': 'keys:write',
  'GET /api/clients': 'clients:read',
  'PUT /api/clients': 'clients:write',
  'DELETE /api/clients': 'clients:write',
  'GET /api/roles': 'roles:read',
  'PUT /api/roles': 'roles:write',
  'DELETE /api/roles': 'roles:write',
  'GET /api/quotas': 'quotas:read',
  'POST /api/quotas': 'quotas:write',
  'GET /api/usage': 'usage:read',
  'GET /api/usage/export': 'usage:read',
  'GET /api/webhooks': 'webhooks:read',
  'POST /api/webhooks': 'webhooks:write',
  'PATCH /api/webhooks': 'webhooks:write',
  'DELETE /api/webhooks': 'webhooks:write',
  'GET /api/webhooks/deliveries': 'webhooks:read',
  'POST /api/webhooks/deliveries': 'webhooks:write',
  'GET /api/admin-tokens': 'admin-tokens:read',
  'POST /api/admin-tokens': 'admin-tokens:write',
  'PUT /api/admin-tokens': 'admin-tokens:write',
  'DELETE /api/admin-tokens': 'admin-tokens:write',
  'GET /api/keys/audit': 'audit:read',
  'GET /api/metrics': 'metrics:read',
  'GET /api/admin/whoami': 'keys:read',
}
/** What a route needs beside its own permission: a role is what keys may do. */
const BESIDE: Record<string, string> = { 'PUT /api/roles': 'keys:write' }
const PERMISSIONS = [...new Set(Object.values(WANTED))]

const tokenWith = async (permission: string): Promise<string> =>
  (await addon.createAdminToken({ name: permission, permissions: [permission] })).token

/** The status of a route to which nothing else is sent. */
async function statusOf(
  operation: string,
  token: string,
): Promise<{ status: number; code: string }> {
  const [method, path] = operation.split(' ') as [string, string]
  const response = await fetch(app.url() + path, { method, headers: { 'x-admin-token': token } })
  const text = await response.text()
  const isJson = response.headers.get('content-type')!.startsWith('application/json')
  return { status: response.status, code: isJson ? JSON.parse(text).code : undefined }
}

test('the table has every route for admins of the app, and no other', () => {
  const forAdmins = [...openapi.operations].filter(([, { security }]) =>
    security?.some((scheme: object) => Object.hasOwn(scheme, 'adminToken')),
  )
  expect(Object.keys(WANTED).sort()).toEqual(forAdmins.map(([name]) => name).sort())
})

test('every permission is documented with its routes', () => {
  for (const [name, permission] of Object.entries(WANTED))
    expect(openapi.operations.get(name).description, name).toContain(`\`${permission}\``)
})

test('each route is opened by its own permission and by *, and by no other', async () => {
  const permissions = [
    ...PERMISSIONS,
    ...PERMISSIONS.map((permission) => permission.replace(/:\w+$/, ':*')),
    ...PERMISSIONS.map((permission) => permission.toUpperCase()),
    '**',
  ]
  const tokens = new Map<string, string>()
  for (const permission of new Set([...permissions, '*']))
    tokens.set(permission, await tokenWith(permission))
  const wrong: string[] = []
  for (const [operation, wanted] of Object.entries(WANTED)) {
    for (const [permission, token] of tokens) {
      const { status, code } = await statusOf(operation, token)
      const isRefused = status === 403 && code === 'INSUFFICIENT_PERMISSION'
      // What is let in lacks its input, at worst.
      const isLetIn = status === 200 || status === 400
      const isEnough = permission === wanted && !BESIDE[operation]
      const isRight = isEnough || permission === '*' ? isLetIn : isRefused
      if (!isRight) wrong.push(`${operation} with ${permission}: ${status} ${code}`)
    }
  }
  expect(wrong).toEqual([])
})
