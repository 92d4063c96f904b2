'use strict'

// `@sophra/api-keys/fastify`: a hook and a plugin for Fastify.

const { besideVary, CACHE_CONTROL, NO_STORE } = require('../guard/answers.js')
const { keyGuard } = require('../guard/key-guard.js')
const { refundAfter, view } = require('../guard/node.js')

const hook = (name, options) => {
  const { admit, refund } = keyGuard(name, options, view)
  return async (request, reply) => {
    const outcome = await admit(request)
    if (outcome.status) return send(reply, outcome)
    request.apiKey = outcome.apiKey
    if (!reply.hasHeader(CACHE_CONTROL)) reply.headers(NO_STORE)
    reply.headers(besideVary(outcome.headers, reply.getHeader('Vary')))
    if (refund) refundAfter(reply.raw, outcome.apiKey, refund, reply)
  }
}

/** Something else, such as a timeout of the app, may have answered meanwhile. */
const send = (reply, { status, headers, body }) =>
  reply.sent
    ? reply
    : reply
        .code(status)
        .headers(besideVary(headers, reply.getHeader('Vary')))
        .send(body ?? undefined)

exports.requireApiKey = (options = {}) => hook('requireApiKey', options)

exports.apiKeys = async (app, options = {}) => {
  if (!app.hasRequestDecorator('apiKey')) app.decorateRequest('apiKey', null)
  app.addHook('onRequest', hook('apiKeys', options))
}

// For the context that registers the plugin, not for one of its own.
exports.apiKeys[Symbol.for('skip-override')] = true
exports.apiKeys[Symbol.for('fastify.display-name')] = '@sophra/api-keys'
