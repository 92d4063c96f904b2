/**
 * `npm run bench`: measures what a verify costs, beside the alternatives. Prints Markdown.
 *
 *   --rounds N    interleaved rounds, at least 10 (default 20)
 *   --only b,e,g  only these rows, by letter
 *   --as-is       use the addon and the example as they are, without building them
 */
import { statSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Failure, main, run, step } from '../scripts/processes.mjs'
import { prepare, root } from '../scripts/project.mjs'
import { interleave } from './measure.mjs'
import {
  aims,
  byServer,
  directTable,
  httpTable,
  lineTable,
  serversTable,
  throughputTable,
} from './report.mjs'

const SUBJECTS = [
  ['a', 'constant.mjs'],
  ['b', 'warm.mjs'],
  ['c', 'cold-argon2.mjs'],
  ['c', 'cold-digest.mjs'],
  ['d', 'forged.mjs'],
  ['e', 'map.mjs'],
  ['f', 'better-auth.mjs'],
  ['g', 'update-returning.mjs'],
  ['h', 'http-node.mjs'],
  ['h', 'http-next.mjs'],
  ['i', 'pg-select.mjs'],
  ['j', 'line.mjs'],
  ['k', 'guard.mjs'],
  ['l', 'servers/node.mjs'],
  ['l', 'servers/express.mjs'],
  ['l', 'servers/fastify.mjs'],
  ['l', 'servers/hono.mjs'],
  ['l', 'servers/koa.mjs'],
  ['l', 'servers/nest.mjs'],
]
/** The rows that are measured after all others, each group by itself. */
const APART = ['h', 'j', 'l']

main(async (defer) => {
  const { rounds, letters, asIs } = options()
  if (!asIs) await prepare()
  await installPeers()
  // Loaded late, since these files need packages that may have to be installed first.
  const { startPostgres } = await import('../scripts/postgres.mjs')
  const { machine } = await import('./machine.mjs')
  const { openSubjects } = await import('./subject.mjs')
  const { requests } = await import('./load.mjs')
  const { TOGETHER } = await import('./keys.mjs')

  // The alternatives write to disk at each verify, so this Postgres is durable, as it is by default.
  const postgres = await step('Starting Postgres', () => startPostgres({ durable: true }))
  defer(() => postgres.stop())
  const subjects = SUBJECTS.filter(([letter]) => letters.includes(letter))
  const report = [await machine(postgres.url, rounds)]

  const open = (wanted) =>
    openSubjects(
      subjects.filter(([letter]) => wanted(letter)),
      { postgres, rounds },
    )

  const direct = await open((letter) => !APART.includes(letter))
  const rows = direct.rows
  const together = rows.filter((row) => row.together)
  const reached = []
  if (rows.length > 0) {
    const samples = await step(`Timing ${rows.length} rows in ${rounds} rounds`, () =>
      interleave(rounds, rows, (row) => row.sample()),
    )
    report.push(directTable(rows, samples))
    reached.push(...aims.cold(rows, samples))
  }
  if (together.length > 0) {
    const samples = await step(`Timing ${TOGETHER} calls at a time`, () =>
      interleave(rounds, together, (row) => row.sample(TOGETHER)),
    )
    report.push(throughputTable(together, samples, TOGETHER))
    reached.push(...aims.coldTogether(together, samples))
  }
  await direct.close()

  const line = await open((letter) => letter === 'j')
  if (line.rows.length > 0) {
    const samples = await step('Timing calls over a slow line', () =>
      interleave(rounds, line.rows, (row) => row.sample()),
    )
    report.push(lineTable(line.rows, samples))
    reached.push(...aims.line(line.rows, samples))
  }
  await line.close()

  const http = await open((letter) => letter === 'h')
  if (http.rows.length > 0) {
    const samples = await step('Timing HTTP requests', () =>
      interleave(rounds, http.rows, requests),
    )
    report.push(httpTable(http.rows, samples))
  }
  await http.close()

  const frameworks = await open((letter) => letter === 'l')
  if (frameworks.rows.length > 0) {
    const samples = await step('Timing the guards of servers', () =>
      interleave(rounds, frameworks.rows, requests),
    )
    const servers = byServer(frameworks.rows)
    report.push(serversTable(servers, samples))
    reached.push(...aims.guards(servers, samples))
  }
  await frameworks.close()
  console.log(`\n${report.join('\n\n')}`)
  if (reached.length > 0) console.log(`\n${reached.join('\n')}`)
})

function options() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      only: { type: 'string' },
      'as-is': { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 10)
    throw new Failure('--rounds must be a whole number of at least 10')
  const known = new Set(SUBJECTS.map(([letter]) => letter))
  const letters = values.only?.split(',') ?? [...known]
  const unknown = letters.find((letter) => !known.has(letter))
  if (unknown !== undefined) throw new Failure(`--only: there is no row ${unknown}`)
  return { rounds, letters, asIs: values['as-is'] }
}

/** Installs the alternatives. They have a lock file of their own, since nothing else needs them. */
async function installPeers() {
  const cwd = path.join(root, 'benches')
  const modified = (file) => statSync(path.join(cwd, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return
  await step('Installing the alternatives', () =>
    run('npm', ['ci', '--ignore-scripts', '--loglevel=error'], { cwd }),
  )
}
