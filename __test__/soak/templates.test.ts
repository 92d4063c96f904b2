import { expect, test } from 'vitest'
import { runScript } from '../support/child.js'
import { freshDatabase } from '../support/database.js'

async function survives(heapMib: number, script: string): Promise<void> {
  const database = await freshDatabase()
  try {
    const ended = await runScript(`${script}; report('done'); await api.close()`, {
      env: {
        DATABASE_URL: database.url,
        API_KEYS_ARGON2_MEMORY_KIB: '8',
        API_KEYS_ARGON2_ITERATIONS: '1',
        API_KEYS_STATEMENT_TIMEOUT_MS: '60000',
        API_KEYS_LOG: 'off',
        NODE_OPTIONS: `--max-old-space-size=${heapMib}`,
      },
      timeoutMs: 20 * 60_000,
    })
    expect(ended).toMatchObject({ code: 0, reports: ['done'], stderr: '' })
  } finally {
    await database.drop()
  }
}

test('a key of 8 KiB that is edited and verified 2,500 times does not fill a small heap', async () => {
  await survives(
    32,
    `const metadata = { a: Array.from({ length: 2700 }, () => []) }
     const { id, key } = await api.createApiKey({ name: 'n', clientId: 'c', metadata })
     for (let edit = 0; edit < 2500; edit++) {
       await api.patchApiKey({ id, name: 'n' + edit })
       await api.verifyApiKey(key)
       await api.verifyApiKey(key)
     }`,
  )
})

test('two thousand keys of 8 KiB do not fill a heap of 192 MiB', async () => {
  await survives(
    192,
    `const keys = []
     for (let k = 0; k < 2000; k++) {
       // Names that no other object has, which cost V8 the most.
       const fields = Array.from({ length: 800 }, (_, n) => ({ [k.toString(36) + n.toString(36)]: 1 }))
       const metadata = { a: fields.slice(0, 680) }
       keys.push((await api.createApiKey({ name: 'n', clientId: 'c', metadata })).key)
     }
     for (let round = 0; round < 2; round++)
       for (const key of keys) {
         await api.verifyApiKey(key)
         await api.verifyApiKey(key)
       }`,
  )
})
