'use strict'

const { Exit, UsageError } = require('./errors.js')
const { are } = require('./output.js')
const { number } = require('./values.js')

module.exports = {
  summary: 'Brings the database schema up to date. It only adds what is missing.',
  details: `It is safe to repeat, and to run while the app is running. --adopt also replaces the plaintext keys and tokens of
an older implementation with hashes. There is no way back, so do this only after the last instance of the older
implementation has stopped. It may be interrupted and repeated.
--sql prints the statements instead, for migration tools (API_KEYS_MIGRATE=manual). It needs no database.`,
  options: {
    adopt: { type: 'boolean', help: 'Also replace plaintext keys and tokens with hashes' },
    sql: { type: 'boolean', help: 'Print the SQL instead of running it' },
    after: { ...number, help: 'With --sql: print only the migrations after this one, e.g. 3' },
  },
  examples: [
    ['npx @sophra/api-keys migrate', 'In a deployment, before the app starts'],
    ['npx @sophra/api-keys migrate --adopt', 'After the last older instance has stopped'],
    [
      'npx @sophra/api-keys migrate --sql > prisma/migrations/20270101000000_api_keys/migration.sql',
      'For a project that migrates with Prisma',
    ],
  ],
  async run({ options }, output, addon) {
    if (options.sql) {
      if (options.adopt) throw new UsageError('--sql and --adopt exclude each other', 'migrate')
      output.print(addon.migrationScript(options.after ?? 0).trimEnd())
      return Exit.ok
    }
    if (options.after !== undefined) throw new UsageError('--after needs --sql', 'migrate')
    const report = await addon.migrate()
    const result = options.adopt
      ? { ...(await adopt(report, output, addon)), applied: report.applied }
      : report
    if (output.json) output.value(result)
    else print(result, options, output)
    return options.adopt && result.remaining > 0 ? Exit.negative : Exit.ok
  },
}

/** Rows per call: a few seconds of hashing between two lines of progress. */
const BATCH_SIZE = 200

/** Adopts rows in batches, until a batch finds none that it can adopt. */
async function adopt({ remaining: total }, output, addon) {
  let adopted = 0
  const allPermissions = []
  for (;;) {
    const part = await addon.migrate({ adopt: true, limit: BATCH_SIZE })
    adopted += part.adopted
    allPermissions.push(...(part.allPermissions ?? []))
    if (part.remaining === 0 || part.adopted === 0) return { ...part, adopted, allPermissions }
    output.note(`${adopted} of ${total} adopted, ${part.remaining} left`)
  }
}

function print({ applied, adopted, remaining, allPermissions = [] }, options, output) {
  output.print(applied.length > 0 ? `Applied: ${applied.join(', ')}` : 'The schema is up to date.')
  if (options.adopt) output.print(`Adopted: ${adopted}`)
  for (const { id, name } of allPermissions) {
    output.warn(`the admin token ${name} (${id}) got every permission (*) because of its name`)
  }
  if (remaining === 0) return
  output.note(
    options.adopt
      ? `${are(remaining, 'row')} still plaintext: locked, or another row holds the same key. Repeat the command, then run doctor.`
      : `${are(remaining, 'row')} plaintext of an older implementation. Once none of its instances is running, --adopt replaces plaintext with hashes.`,
  )
}
