import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'

import { useDatabaseEach } from '../support/database-each.js'
import { wrongAnswers } from '../support/scenarios/digests.js'

const database = useDatabaseEach()

test(
  'no answer is wrong in ten thousand rounds of rotations, renewals and other peppers',
  async () => {
    const seed = randomInt(2 ** 31)
    expect(await wrongAnswers(database, 10_000, seed), `seed ${seed}`).toEqual([])
  },
  2 * 3_600_000,
)
