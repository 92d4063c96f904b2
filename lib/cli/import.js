'use strict'

const { createReadStream } = require('node:fs')
const { jsonOf, linesOf } = require('./import/lines.js')
const { presets } = require('./import/presets.js')
const { rowsOf } = require('./import/table.js')
const { Exit, UsageError } = require('./errors.js')

/** Items per call: few, so that a process that serves requests beside it is not held up. */
const BATCH = 200
/** Items between two lines of progress. */
const PROGRESS = 5_000
/** Failures that are listed with --json. */
const FAILURES_MAX = 1_000

module.exports = {
  summary: 'Imports keys that other programs issued. They stay valid.',
  details: `Without --from, each line of the file, or of standard input, is the JSON of an item of importApiKeys, as export writes it. With
--from, the rows of another library are read: from its table in the database of DATABASE_URL or --source, which needs the npm package
pg, or from a file with the JSON of a row on each line (- is standard input). With --from csv, the lines are CSV (RFC 4180), and the
first one names the fields of an item: clientId, name, hash.value.
What was imported before is skipped, so the command may be interrupted and repeated. What cannot be imported is named with its line, or
with the number of its row.
Exit code 0: nothing has failed, 1: something has.`,
  positionals: ['[<file>]'],
  options: {
    from: { value: '<library>', help: Object.keys(presets).join(', ') },
    source: { value: '<url>', help: 'The database of the other library; DATABASE_URL by default' },
    table: { value: '<name>', help: 'Its table, if it has another name than usual' },
    client: { value: '<clientId>', help: 'The client of keys whose rows name none' },
    'dry-run': { type: 'boolean', help: 'Try it, and store nothing' },
  },
  examples: [
    ['npx @sophra/api-keys import --from better-auth --dry-run', 'Count what would be imported'],
    ['npx @sophra/api-keys import --from better-auth', 'Import it'],
    ['npx @sophra/api-keys import keys.ndjson', 'Import what export has written'],
    ['npx @sophra/api-keys import --from csv keys.csv', 'Import a table'],
    [
      'psql -Atc \'SELECT row_to_json(k) FROM "apikey" AS k\' | npx @sophra/api-keys import --from better-auth -',
      'Import rows that another program has read',
    ],
  ],
  async run({ options, positionals: [file] }, output, addon) {
    check(options, file)
    const preset = options.from && presets[options.from]
    const isTable = Boolean(preset?.table) && file === undefined
    const entries = isTable
      ? rowsOf(
          options.source ?? process.env.DATABASE_URL,
          options.table ?? preset.table,
          preset.order,
        )
      : (preset?.read ?? jsonOf)(linesOfFile(file))
    const name = (number) => `${isTable ? 'row' : 'line'} ${number}`
    const outcome = await importAll(entries, preset, options, { output, name }, addon)
    print(outcome, options, output)
    return outcome.failedCount > 0 ? Exit.negative : Exit.ok
  },
}

function check({ from, source, table, client }, file) {
  const fail = (message) => {
    throw new UsageError(message, 'import')
  }
  if (from !== undefined && !Object.hasOwn(presets, from))
    fail(`--from must be one of ${Object.keys(presets).join(', ')}`)
  if (client !== undefined && from === undefined) fail('--client needs --from')
  const readsTable = from !== undefined && presets[from].table && file === undefined
  if ((source ?? table) !== undefined && !readsTable)
    fail('--source and --table need --from with a library that has a table, and no <file>')
}

/** The lines of a file, or of standard input. */
async function* linesOfFile(file) {
  const input = file === undefined || file === '-' ? process.stdin : createReadStream(file)
  try {
    yield* linesOf(input)
  } catch (error) {
    if (!error.syscall) throw error
    throw new UsageError(`The file cannot be read: ${file}: ${error.code}`, 'import')
  }
}

/** Imports in batches, and shows how far it is. */
async function importAll(entries, preset, options, { output, name }, addon) {
  const outcome = { imported: 0, skipped: 0, failedCount: 0, failed: [] }
  const fail = (line, message) => {
    outcome.failedCount += 1
    if (outcome.failed.length < FAILURES_MAX) outcome.failed.push({ line, message })
    if (!output.json) output.fail(`${name(line)}: ${message}`)
  }
  let [read, batch] = [0, []]
  const flush = async () => {
    if (batch.length === 0) return
    const items = batch.map(({ item }) => item)
    const answer = await addon.importApiKeys(items, { dryRun: options['dry-run'] })
    outcome.imported += answer.imported
    outcome.skipped += answer.skipped
    for (const { index, message } of answer.failed) fail(batch[index].line, message)
    batch = []
  }
  for await (const { line, value, problem } of entries) {
    read += 1
    const { item, reason = problem } = problem ? {} : itemOf(value, preset, options)
    if (reason) fail(line, reason)
    else batch.push({ line, item })
    if (batch.length === BATCH) await flush()
    if (read % PROGRESS === 0)
      output.note(`${read} read, ${outcome.imported} imported, ${outcome.skipped} skipped`)
  }
  await flush()
  return outcome
}

function itemOf(value, preset, { client }) {
  if (!preset) return { item: value }
  if (value === null || typeof value !== 'object') return { reason: 'must be an object' }
  if (Object.values(value).some(isRounded))
    return { reason: 'has a number that is too large: it must be a text' }
  try {
    return { item: preset.itemOf(value, client) }
  } catch (error) {
    return { reason: error.message }
  }
}

/** Whether JavaScript may hold another number than was written. */
const isRounded = (value) => Number.isInteger(value) && !Number.isSafeInteger(value)

function print({ imported, skipped, failedCount, failed }, options, output) {
  if (output.json) return output.value({ imported, skipped, failedCount, failed })
  const verb = options['dry-run'] ? 'Would be imported' : 'Imported'
  output.print(`${verb}: ${imported}\nSkipped: ${skipped}\nFailed: ${failedCount}`)
}
