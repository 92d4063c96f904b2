/**
 * Runs one subject in a process of its own, so that no row pays for the garbage and the compiled code of another.
 *
 * A subject exports `open({ databaseUrl, rounds })`, which returns rows:
 *   title     what the row measures
 *   call      makes one call; its argument is the number of the call
 *   accepts   whether a result is as expected; the first unexpected one ends the run
 *   sync      true if `call` returns a value rather than a promise
 *   calls     the calls per sample; by default as many as take SAMPLE_SECONDS
 *   prepare   is called before each sample, and not timed
 *   check     is called after each sample, and not timed; what it throws ends the run
 *   seconds   instead of `call`: makes one call, and returns the seconds that it took as measured where it was made
 *   together  true if the row is also measured with many calls at a time
 *   load      instead of `call`: options of autocannon, which sends requests to a server in this process
 * It also exports `close()` if it has something to clean up.
 */
import { inspect } from 'node:util'

const SAMPLE_SECONDS = 0.2

const [file, options] = process.argv.slice(2)
const subject = await import(new URL(`subjects/${file}`, import.meta.url))
process.once('disconnect', end)
process.once('SIGTERM', end)

const rows = await subject.open(JSON.parse(options))
for (const row of rows) row.turn = 0

process.on('message', async ({ done, index, concurrency }) => {
  if (done) return end()
  process.send(await sample(rows[index], concurrency))
})
// The serialisable part of each row.
process.send(JSON.parse(JSON.stringify(rows)))

async function end() {
  await subject.close?.()
  process.exit()
}

/** Seconds per call; for a server, the CPU time that it has used, in seconds. */
async function sample(row, concurrency) {
  if (row.load) return cpuSeconds()
  await row.prepare?.()
  const seconds = row.seconds ? await row.seconds() : await secondsPerCall(row, concurrency)
  await row.check?.()
  return seconds
}

async function secondsPerCall(row, concurrency) {
  const time = timing(row, concurrency)
  const calls = row.calls ?? ((row.fitting ??= {})[concurrency] ??= await fittingCalls(time))
  return (await time(calls)) / calls
}

function cpuSeconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/**
 * The number of calls that take SAMPLE_SECONDS, found by doubling, which also gives the compiler time to optimise. The faster of
 * two measurements counts, since a pause may distort one of them.
 */
async function fittingCalls(time) {
  for (let calls = 64; ; calls *= 2) {
    const seconds = Math.min(await time(calls), await time(calls))
    if (seconds > SAMPLE_SECONDS / 2) return Math.ceil((calls * SAMPLE_SECONDS) / seconds)
  }
}

/** Makes a function that makes the given number of calls, and returns the seconds that they took. */
function timing(row, concurrency) {
  const work = row.sync ? oneByOne : concurrency > 1 ? manyAtATime : awaited
  return async (calls) => {
    const started = performance.now()
    await work(row, row.turn, row.turn + calls, concurrency)
    row.turn += calls
    return (performance.now() - started) / 1000
  }
}

function oneByOne({ call, accepts }, from, to) {
  for (let turn = from; turn < to; turn += 1) {
    const answer = call(turn)
    if (!accepts(answer)) refuse(answer)
  }
}

async function awaited({ call, accepts }, from, to) {
  for (let turn = from; turn < to; turn += 1) {
    const answer = await call(turn)
    if (!accepts(answer)) refuse(answer)
  }
}

async function manyAtATime({ call, accepts }, from, to, concurrency) {
  let turn = from
  const caller = async () => {
    while (turn < to) {
      const answer = await call(turn++)
      if (!accepts(answer)) refuse(answer)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller))
}

function refuse(answer) {
  throw new Error(`This answer was not expected: ${inspect(answer)}`)
}
