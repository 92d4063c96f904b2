'use strict'

const { Exit, UsageError } = require('../errors.js')

module.exports = {
  summary: 'Sets the scopes of a role: makes it, or replaces those that it had.',
  details: `A key that names the role (keys create --role) holds its scopes beside its own. What is set takes effect in all processes
within moments. --no-scopes leaves the role without any.`,
  positionals: ['<name>'],
  flags: { name: '<name>', scopes: '--scope' },
  options: {
    scope: { value: '<scope>', multiple: true, help: 'A scope that the role holds' },
    'no-scopes': { type: 'boolean', help: 'Take all scopes from the role' },
  },
  examples: [
    ['npx @sophra/api-keys roles set editor --scope docs:read --scope docs:write', 'Two scopes'],
    ['npx @sophra/api-keys roles set editor --no-scopes', 'None for now'],
  ],
  async run({ options, positionals: [name] }, output, addon) {
    const role = await addon.setRole({ name, scopes: scopesOf(options) })
    if (output.json) output.value(role)
    else
      output.record([
        ['name', role.name],
        ['scopes', role.scopes.join(', ')],
      ])
    return Exit.ok
  },
}

function scopesOf({ scope, 'no-scopes': none }) {
  if (Boolean(scope) === Boolean(none))
    throw new UsageError('Give either --scope or --no-scopes', 'roles set')
  return scope ?? []
}
