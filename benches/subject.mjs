/** Runs subjects, each in a process of its own. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { Failure, exitCode, launch, step } from '../scripts/processes.mjs'

const host = fileURLToPath(new URL('host.mjs', import.meta.url))

/** Opens subjects, given as letter and file name. `rows` holds the rows of all of them. */
export async function openSubjects(list, { postgres, rounds }) {
  const subjects = []
  for (const [letter, file] of list) {
    const databaseUrl = await createDatabase(postgres.url, file)
    const subject = await step(`Setting up ${letter}: ${file.replace('.mjs', '')}`, () =>
      openSubject(letter, file, { databaseUrl, rounds }),
    )
    subjects.push(subject)
  }
  return {
    rows: subjects.flatMap((subject) => subject.rows),
    close: () => Promise.all(subjects.map((subject) => subject.close())),
  }
}

async function openSubject(letter, file, options) {
  const child = launch(process.execPath, [host, file, JSON.stringify(options)], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  }
  const exited = exitCode(child)
  const failed = exited.then((code) => {
    throw new Failure(`${file} ended with ${code}:\n${output}`)
  })
  failed.catch(() => {})

  const answer = () => Promise.race([once(child, 'message').then(([message]) => message), failed])
  const ask = (question) => {
    child.send(question)
    return answer()
  }
  const rows = (await answer()).map((row, index) => ({
    ...row,
    letter,
    sample: (concurrency = 1) => ask({ index, concurrency }),
  }))
  const close = async () => {
    // `disconnect()` would not do: after it, Node.js never reports that the child has closed.
    child.send({ done: true })
    await exited
  }
  return { rows, close }
}

async function createDatabase(url, file) {
  const name = `bench_${file.replace('.mjs', '').replaceAll(/[-/]/g, '_')}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  return Object.assign(new URL(url), { pathname: name }).href
}

/** The environment without the variables that configure the addon or an alternative. */
function environment() {
  const foreign =
    /^(API_KEYS_|BETTER_AUTH_|PG|DATABASE_URL|DIRECT_DATABASE_URL|POSTGRESQL_URL|JWT_)/
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  return { ...Object.fromEntries(kept), NODE_ENV: 'production' }
}
