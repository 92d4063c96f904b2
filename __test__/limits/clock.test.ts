import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cheapHashing } from '../support/addon.js'
import { run, startScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'

/** Puts the wall clock of a process that loads it ahead by the seconds in the file `CLOCK_AHEAD`. */
const CLOCK = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *at) {
  long result = syscall(SYS_clock_gettime, id, at), ahead = 0;
  if (id == CLOCK_REALTIME) {
    FILE *file = fopen(getenv("CLOCK_AHEAD"), "r");
    if (file && fscanf(file, "%ld", &ahead) == 1) at->tv_sec += ahead;
    if (file) fclose(file);
  }
  return result;
}
`
const MONTH_S = 30 * 86_400

let database: Database
const folder = mkdtempSync(join(tmpdir(), 'clock-'))
const [source, library, ahead] = ['clock.c', 'clock.so', 'ahead'].map((name) => join(folder, name))
beforeAll(async () => {
  database = await freshDatabase()
  writeFileSync(source!, CLOCK)
  const { code, stderr } = await run(['cc', '-shared', '-fPIC', '-o', library!, source!])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
afterAll(async () => {
  await database.drop()
  rmSync(folder, { recursive: true })
})

/** Runs a script whose clock `setClock(seconds)` puts ahead of the real one. */
const withClock = (script: string, options: object = {}) => {
  writeFileSync(ahead!, '0')
  const all = { databaseUrl: database.url, ...cheapHashing, ...options }
  return startScript(
    `const setClock = (s) => require('node:fs').writeFileSync(process.env.CLOCK_AHEAD, String(s))
     api.configure(${JSON.stringify(all)})
     const limited = (rateLimit, rateLimitWindowSeconds) =>
       api.createApiKey({ name: 'n', clientId: 'c', rateLimit, rateLimitWindowSeconds })
     ${script}
     await api.close()`,
    { env: { LD_PRELOAD: library!, CLOCK_AHEAD: ahead! } },
  )
}

// Loading a library into a process is done in this way on Linux alone.
test.runIf(process.platform === 'linux')(
  'a suspension lasts no longer than it was meant to, if the clock is set forward and back',
  async () => {
    const script = `
      const { id, key } = await limited(1, 86_400)
      await api.verifyApiKey(key)
      setClock(${MONTH_S})
      const refused = await api.verifyApiKey(key)
      for (;;) if ((await api.getApiKey(id)).suspendedUntil) break
      const suspendedUntil = (await api.getApiKey(id)).suspendedUntil.getTime()
      setClock(0)
      report([refused, suspendedUntil - Date.now(), await api.verifyApiKey(key)])`
    const { reports, code, stderr } = await withClock(script, { suspensionSeconds: 60 }).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [first, untilMs, then] = reports[0] as [object, number, { retryAfterMs: number }]
    expect(first).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 60_000 })
    // The clock was in fact ahead.
    expect(untilMs).toBeGreaterThan(MONTH_S * 1_000 - 60_000)
    expect(then).toMatchObject({ code: 'SUSPENDED' })
    expect(then.retryAfterMs).toBeLessThanOrEqual(60_000)
  },
)

test.runIf(process.platform === 'linux')(
  'a suspension that has ended can begin again, whatever the row says of the one before it',
  async () => {
    const script = `
      const { id, key } = await limited(1, 86_400)
      await api.verifyApiKey(key)
      setClock(${MONTH_S})
      await api.verifyApiKey(key)
      for (;;) if ((await api.getApiKey(id)).suspendedUntil) break
      setClock(0)
      const until = () => api.getApiKey(id).then(({ suspendedUntil }) => suspendedUntil.getTime())
      const before = await until()
      let again
      do again = await api.verifyApiKey(key)
      while (again.code === 'SUSPENDED')
      while ((await until()) === before) await api.flush()
      report([again, (await until()) - Date.now(), await api.verifyApiKey(key)])`
    const { reports, code, stderr } = await withClock(script, { suspensionSeconds: 1 }).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [again, untilMs] = reports[0] as [object, number]
    expect(again).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_000 })
    expect(untilMs).toBeLessThanOrEqual(1_000)
  },
)

test.runIf(process.platform === 'linux')(
  'a process whose clock is ahead has used a limit for no longer than any other',
  async () => {
    const script = `
      const { id, key } = await limited(10, 60)
      setClock(${MONTH_S})
      await api.verifyApiKey(key, { cost: 5 })
      await api.flush()
      setClock(0)
      report(id)`
    const { reports, code, stderr } = await withClock(script).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [row] = await database.sql(
      `SELECT extract(epoch FROM full_at - now() AT TIME ZONE 'UTC')::float8 AS seconds
       FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
      [reports[0]],
    )
    expect(row!.seconds).toBeLessThanOrEqual(30)
  },
)
