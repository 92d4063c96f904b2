'use strict'

const { withApiKey } = require('@sophra/api-keys/next')

/** The subject of the tests: a protected route handler. */
exports.GET = withApiKey(
  (request, { apiKey }) => Response.json({ clientId: apiKey.clientId, results: [] }),
  { scopes: ['search:read'] },
)
