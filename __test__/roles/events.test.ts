import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

const { deleteRole, flush, listAuditEvents, onEvent, setRole } = addon

useAddon()

test('who changes a role is told to listeners, and stays in the audit log', async () => {
  const heard: object[] = []
  const off = onEvent((event) => event.type.startsWith('role.') && void heard.push(event))
  const by = { actor: 'ann' }
  await setRole({ name: 'editor', scopes: ['a'] }, by)
  await setRole({ name: 'editor', scopes: ['b'] }, by)
  await deleteRole('editor', by)
  await flush()
  off()
  const common = { role: 'editor', actor: 'ann' }
  const changed = (before: string[], after: string[]): object => ({
    ...common,
    type: 'role.changed',
    changes: { scopes: { before, after } },
  })
  const all = [changed([], ['a']), changed(['a'], ['b']), { ...common, type: 'role.deleted' }]
  expect(heard).toMatchObject(all)
  const { events } = await listAuditEvents({ limit: 3 })
  expect(events.reverse()).toMatchObject(all)
})
