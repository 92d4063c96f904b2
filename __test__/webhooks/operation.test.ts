import { expect, test } from 'vitest'
import { json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { useDatabaseEach } from '../support/database-each.js'

// What operators are told: by `health()` of a process, and by `doctor`.

const { createApiKey, health, setWebhook } = addon

const database = useDatabaseEach()

const jwtSecret = 'a secret of the tests, of 32 bytes or more'
const url = 'https://example.com/hook'
const LATE = /^Deliveries to webhooks are more than 5 minutes late/

const configure = (options: Parameters<typeof addon.configure>[0] = {}): void =>
  addon.configure({ databaseUrl: database.url, ...cheapHashing, webhooks: 'off', ...options })

/** What `doctor` finds about webhooks. */
async function findings(): Promise<{ status: string; message: string; remedy?: string }[]> {
  const env = { DATABASE_URL: database.url, JWT_SECRET: jwtSecret }
  const all = await json<{ check: string; status: string; message: string }[]>(['doctor'], { env })
  return all.filter(({ check }) => check === 'webhooks')
}

test('deliveries that nobody makes are late, and those that wait for their next attempt are not', async () => {
  configure({ jwtSecret })
  const { id } = await setWebhook({ url })
  await createApiKey({ name: 'n', clientId: 'c' })
  expect(await health()).toMatchObject({ status: 'ok', problems: [] })
  expect(await findings()).toEqual([expect.objectContaining({ status: 'ok' })])

  await database.sql(`UPDATE sophra_api_keys.deliveries SET due_at = now() - interval '6 minutes'`)
  expect(await health()).toMatchObject({
    status: 'degraded',
    problems: [expect.stringMatching(LATE)],
  })
  expect(await findings()).toMatchObject([
    {
      status: 'problem',
      message: 'Deliveries are more than 5 minutes late, or were refused for a quarter of an hour',
    },
  ])

  // Of a webhook that is switched off, nothing is late.
  await setWebhook({ id, isActive: false })
  expect(await health()).toMatchObject({ status: 'ok' })
  await setWebhook({ id, isActive: true })
  await database.sql(`UPDATE sophra_api_keys.deliveries SET due_at = now() + interval '1 hour'`)
  expect(await health()).toMatchObject({ status: 'ok' })
})

test('deliveries that were given up are counted', async () => {
  configure({ jwtSecret })
  await setWebhook({ url })
  for (const dead of [1, 2]) {
    await createApiKey({ name: 'n', clientId: 'c' })
    await database.sql(
      `UPDATE sophra_api_keys.deliveries SET state = 'dead', attempts = 84, ended_at = now()`,
    )
    const said = dead === 1 ? 'One delivery was' : `${dead} deliveries were`
    expect(await findings()).toMatchObject([
      {
        status: 'warning',
        message: `${said} given up after three days`,
        remedy: expect.stringContaining('webhooks deliveries --state dead'),
      },
    ])
  }
  expect(await health()).toMatchObject({ status: 'ok' })
})

test('a secret that is not sealed is named, until it is rotated where there is a secret to seal it', async () => {
  configure()
  const { id } = await setWebhook({ url })
  expect(await findings()).toMatchObject([
    {
      status: 'warning',
      message:
        'The secrets of 1 webhook lie in the database as they are: who reads it can sign notices',
      remedy: expect.stringContaining('--rotate-secret'),
    },
  ])
  await addon.close()
  configure({ jwtSecret })
  await setWebhook({ id, rotateSecret: true })
  expect(await findings()).toMatchObject([
    { status: 'ok', message: 'There is one active webhook, and nothing is late' },
  ])
})
