import { afterAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting } from '../support/setting.js'

const { onEvent, verifyApiKey } = addon

const setting = useSetting()

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]
const told: Event[] = []
afterAll(onEvent((event) => void (event.type === 'key.unreadable' && told.push(event))))

const SALT_AND_OUTPUT = 'AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const phc = (params: string, version = 'v=19'): string =>
  `$argon2id$${version}$${params}$${SALT_AND_OUTPUT}`

const absurd: [string, string][] = [
  ['4 TiB of memory', phc('m=4294967295,t=1,p=1')],
  ['4 GiB of memory', phc('m=4194304,t=1,p=1')],
  ['a number beyond all', phc('m=99999999999999999999999,t=1,p=1')],
  ['too many iterations', phc('m=8,t=4294967295,p=1')],
  ['too many lanes', phc('m=262144,t=1,p=16777215')],
  ['no memory', phc('m=0,t=0,p=0')],
  ['a negative number', phc('m=-8,t=1,p=1')],
  ['an old version', phc('m=8,t=1,p=1', 'v=16')],
  ['nothing behind the name', '$argon2id$'],
  ['an output of a kilobyte', `${phc('m=8,t=1,p=1')}${'A'.repeat(1_000)}`],
  ['a salt of a kilobyte', `$argon2id$v=19$m=8,t=1,p=1$${'A'.repeat(1_000)}$${'A'.repeat(43)}`],
]

test.each(absurd)(
  'a stored hash with %s is refused without computing anything, and reported once',
  async (_, stored) => {
    const [issued] = await setting.coldKeys(1)
    const { id, key } = issued!
    const store = async (hash: string): Promise<void> => {
      await setting.sql(`UPDATE "ApiKey" SET "key" = $2 WHERE "id" = $1`, [id, hash])
      await setting.caughtUp()
    }
    const [{ key: hash }] = (await setting.sql(`SELECT "key" FROM "ApiKey" WHERE "id" = $1`, [
      id,
    ])) as [{ key: string }]
    const cost = await setting.cost(async () => {
      for (let change = 0; change < 3; change++) {
        await store(`${stored}`)
        // Read anew each time, since the row has changed.
        expect(await verifyApiKey(key)).toMatchObject({ valid: false, code: 'INVALID_KEY' })
        await setting.sql(`UPDATE "ApiKey" SET "name" = 'Again' WHERE "id" = $1`, [id])
      }
    })
    expect(cost.hashes).toBe(0)
    const mine = (): Event[] => told.filter((event) => 'keyId' in event && event.keyId === id)
    await eventually(() => expect(mine()).toHaveLength(1))
    expect(mine()).toEqual([
      {
        type: 'key.unreadable',
        severity: 'warning',
        at: expect.any(Date),
        keyId: id,
        name: expect.stringMatching(/^(Key|Again)$/),
        clientId: 'client',
      },
    ])
    // Mended, it verifies.
    await store(hash)
    expect((await verifyApiKey(key)).valid).toBe(true)
    expect(mine()).toHaveLength(1)
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [id])
  },
)
