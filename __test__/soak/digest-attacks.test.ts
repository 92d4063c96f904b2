import { randomInt } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { wrongAnswers } from '../support/scenarios/digests.js'

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

test('no answer is wrong in two thousand rounds of rotations, renewals and other peppers', async () => {
  const seed = randomInt(2 ** 31)
  expect(await wrongAnswers(database, 2_000, seed), `seed ${seed}`).toEqual([])
}, 1_800_000)
