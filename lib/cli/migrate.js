'use strict'

const { Exit, UsageError } = require('./faults.js')
const { number } = require('./values.js')

module.exports = {
  summary: 'Brings the database up to date: adds what is missing, and changes nothing else.',
  details: `Safe to repeat, and while the app runs. With --adopt the plaintext of an older implementation is replaced by
hashes: only when no instance of it runs any more, for there is no way back. It can be interrupted and repeated.
--sql prints what it would do, for tools that migrate themselves (API_KEYS_MIGRATE=manual), and needs no database.`,
  options: {
    adopt: { type: 'boolean', help: 'Also replace plaintext keys and tokens by hashes' },
    sql: { type: 'boolean', help: 'Print the SQL instead of running it' },
    after: { ...number, help: 'With --sql: only what came after this migration, e.g. 3' },
  },
  examples: [
    ['npx sophra-api-keys migrate', 'In a deployment, before the app starts'],
    ['npx sophra-api-keys migrate --adopt', 'When no older instance runs any more'],
    [
      'npx sophra-api-keys migrate --sql > prisma/migrations/20270101000000_api_keys/migration.sql',
      'For those who migrate through Prisma',
    ],
  ],
  async run({ options }, output, addon) {
    if (options.sql) {
      if (options.adopt) throw new UsageError('--sql cannot adopt', 'migrate')
      output.print(addon.migrationScript(options.after ?? 0).trimEnd())
      return Exit.done
    }
    if (options.after !== undefined) throw new UsageError('--after needs --sql', 'migrate')
    const report = await addon.migrate()
    const result = options.adopt
      ? { ...(await adopt(report, output, addon)), applied: report.applied }
      : report
    if (output.json) output.value(result)
    else tell(result, options, output)
    return options.adopt && result.remaining > 0 ? Exit.no : Exit.done
  },
}

/** Rows a call: some seconds of hashing, so that it is seen how far it is. */
const BATCH = 200

/** In bounded calls, until one finds nothing more to adopt. */
async function adopt({ remaining: total }, output, addon) {
  let adopted = 0
  const allPermissions = []
  for (;;) {
    const part = await addon.migrate({ adopt: true, limit: BATCH })
    adopted += part.adopted
    allPermissions.push(...(part.allPermissions ?? []))
    if (part.remaining === 0 || part.adopted === 0) return { ...part, adopted, allPermissions }
    output.note(`${adopted} of ${total} adopted, ${part.remaining} left`)
  }
}

function tell({ applied, adopted, remaining, allPermissions = [] }, options, output) {
  output.print(applied.length > 0 ? `Applied: ${applied.join(', ')}` : 'The schema is up to date.')
  if (options.adopt) output.print(`Adopted: ${adopted}`)
  for (const { id, name } of allPermissions) {
    output.warn(`by its name the admin token ${name} (${id}) got all permissions: *`)
  }
  if (remaining === 0) return
  output.note(
    options.adopt
      ? `${remaining} rows are still plaintext: they were changed meanwhile, or cannot be keys. Repeat it, then see doctor.`
      : `${remaining} rows of an older implementation are plaintext: --adopt replaces them by hashes.`,
  )
}
