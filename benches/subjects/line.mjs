/** (j) Calls over a line on which each round trip takes 10 ms: how often they wait for the database. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import addon from '../../index.js'
import { FAST_HASH, JWT_SECRET, hashes, issueKeys, restart, warmUp } from '../keys.mjs'

const CALLS = 8
const DELAY_MS = 5
/** Calls that only open the connections. */
const OPENING = 8

const running = new Set()

export async function open({ databaseUrl, rounds }) {
  // What takes long is to be measured, not to fail.
  const near = { databaseUrl, statementTimeoutMs: 10_000, jwtSecret: JWT_SECRET, ...FAST_HASH }
  // The first round warms up.
  const all = await issueKeys(near, OPENING + CALLS * (rounds + 1))
  const [others, keys] = [all.slice(0, OPENING), all.slice(OPENING)]

  const url = await openLine(databaseUrl)
  const far = { ...near, databaseUrl: url }
  await restart(far)
  await warmUp(others)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const first = () => firstCalls({ options: far, key: others[0] })
  const create = () => addon.createApiKey({ name: 'Key', clientId: 'client' })
  await Promise.all(Array.from({ length: OPENING }, create))
  let before = hashes()
  return [
    {
      title: '`pg`: SELECT 1',
      call: () => client.query('SELECT 1'),
      accepts: ({ rows }) => rows.length === 1,
      calls: CALLS,
    },
    {
      title: 'cold verify by default',
      role: 'cold verify',
      prepare: () => (before = hashes()),
      call: (turn) => addon.verifyApiKey(keys[turn]),
      accepts: (answer) => answer.valid,
      calls: CALLS,
      check: () => {
        if (hashes() !== before) throw new Error('A cold verify has computed a hash')
      },
    },
    {
      title: 'first verify of a process, its start included',
      role: 'first verify',
      seconds: async () => (await first()).verify,
    },
    {
      title: 'first creation of a process, after its first verify',
      role: 'first creation',
      seconds: async () => (await first()).create,
    },
    {
      title: 'creation of a key',
      role: 'creation',
      call: create,
      accepts: ({ key }) => key !== undefined,
      calls: CALLS,
    },
  ]
}

export function close() {
  for (const child of running) child.kill()
}

/** The database by way of a line that delays, in a process of its own, so that nothing here delays it further. */
async function openLine(databaseUrl) {
  const line = run('../servers/slow-line.mjs', { databaseUrl, delayMs: DELAY_MS })
  return Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: await line.message })
    .href
}

/** The seconds that the first calls of a new process take. */
async function firstCalls(options) {
  const calls = run('../servers/first-calls.mjs', options)
  const seconds = await calls.message
  await calls.exited
  return seconds
}

/** Runs a program, which sends one message. */
function run(program, options) {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), [JSON.stringify(options)])
  running.add(child)
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child)
    return code
  })
  const failed = exited.then((code) => {
    throw new Error(`${program} ended with ${code}`)
  })
  const said = once(child, 'message').then(([message]) => message)
  return { message: Promise.race([said, failed]), exited }
}
