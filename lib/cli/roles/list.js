'use strict'

const { Exit } = require('../errors.js')

module.exports = {
  summary: 'Lists all roles with their scopes.',
  options: {},
  examples: [
    ['npx @sophra/api-keys roles list', 'All roles'],
    [
      'npx @sophra/api-keys roles list --json | jq -r \'.[] | select(.scopes | index("*")) | .name\'',
      'The roles that may do everything',
    ],
  ],
  async run(_given, output, addon) {
    const roles = await addon.listRoles()
    if (output.json) output.value(roles)
    else if (roles.length === 0) output.note('There are no roles.')
    else output.table(['NAME', 'SCOPES'], roles.map(row))
    return Exit.ok
  },
}

const row = ({ name, scopes }) => [name, scopes.join(', ')]
