import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

useAddon()

const { deleteWebhook, listDeliveries, listWebhooks, redeliver, setWebhook } = addon
const url = 'https://example.com/hook'

const paths = (call: Promise<unknown>): Promise<string[]> =>
  call.then(
    () => ['accepted'],
    (error) => {
      expect(error).toMatchObject({ code: 'INVALID_INPUT', status: 400 })
      return error.issues.map(({ path }: { path: string }) => path)
    },
  )

test.each([
  [{}, ['url']],
  [{ url: null }, ['url']],
  [{ url, types: [] }, ['types']],
  [{ url, types: ['key.unheard'] }, ['types[0]']],
  [{ url, types: 'key.issued' }, ['types']],
  [{ url, isActive: 'yes' }, ['isActive']],
  [{ url, rotateSecret: true }, ['rotateSecret']],
  [{ url, rotateSecret: 1 }, ['rotateSecret']],
  [{ url, secret: 'whsec_x' }, ['secret']],
  [{ url: 1, types: [1], isActive: 1 }, ['url', 'types[0]', 'isActive']],
  [{ id: '', url }, ['id']],
  ['x', ['']],
  [null, ['']],
])('setWebhook(%j) names %j', async (input, expected) => {
  expect((await paths(setWebhook(input as never))).sort()).toEqual(expected.sort())
})

test.each([
  [{ limit: 0 }, ['limit']],
  [{ limit: 1_001 }, ['limit']],
  [{ cursor: 'x' }, ['cursor']],
  [{ cursor: '-1' }, ['cursor']],
  [{ state: 'lost' }, ['state']],
  [{ webhookId: '' }, ['webhookId']],
  [{ type: 'key.issued' }, ['type']],
])('listDeliveries(%j) names %j', async (query, expected) => {
  expect(await paths(listDeliveries(query as never))).toEqual(expected)
})

test('ids must be texts', async () => {
  for (const id of [1, '', null, undefined, {}, 'a\0b', 'a'.repeat(256)] as never[]) {
    expect(await paths(deleteWebhook(id))).toEqual(['id'])
    expect(await paths(redeliver(id))).toEqual(['id'])
  }
  expect(await listWebhooks()).toEqual([])
})

test('types are listed once, and names of types are those of the documentation', async () => {
  const { types } = await setWebhook({ url, types: ['key.issued', 'key.issued', 'client.deleted'] })
  expect(types).toEqual(['client.deleted', 'key.issued'])
})
