'use strict'

// `@sophra/api-keys/nest`: decorators for NestJS, on Express and on Fastify.

const { createParamDecorator, HttpException, UseGuards } = require('@nestjs/common')
const { besideVary, CACHE_CONTROL, NO_STORE } = require('../guard/answers.js')
const { keyGuard } = require('../guard/key-guard.js')
const { refundAfter, send, view } = require('../guard/node.js')

class ApiKeyGuard {
  #admit
  #refund

  constructor(options) {
    const { admit, refund } = keyGuard('RequireApiKey', options, view)
    this.#admit = admit
    this.#refund = refund
  }

  async canActivate(context) {
    if (context.getType() !== 'http') throw new Error('RequireApiKey guards HTTP routes only')
    const http = context.switchToHttp()
    const [request, response] = [http.getRequest(), http.getResponse()]
    const outcome = await this.#admit(request)
    if (outcome.status) throw exceptionOf(response, outcome)
    request.apiKey = outcome.apiKey
    const raw = response.raw ?? response
    if (!raw.hasHeader(CACHE_CONTROL)) setHeaders(response, NO_STORE)
    setHeaders(response, outcome.headers)
    if (this.#refund) refundAfter(raw, outcome.apiKey, this.#refund, response)
    return true
  }
}

exports.RequireApiKey = (options = {}) => UseGuards(new ApiKeyGuard(options))

exports.ApiKey = createParamDecorator(
  (_data, context) => context.switchToHttp().getRequest().apiKey,
)

/**
 * The exception for an answer, which Nest and the filters of the app send. Its headers are set here, since an exception has none.
 * What is not plain JSON is sent here, since Nest would not keep its type, and the filters find the response sent: problem details,
 * and responses of the app's own to refusals.
 */
function exceptionOf(response, { status, headers, body }) {
  const raw = response.raw ?? response
  if (headers['Content-Type'] !== 'application/json') {
    send(raw, { status, headers, body })
    return new HttpException('', status)
  }
  setHeaders(response, headers)
  return new HttpException(JSON.parse(body), status)
}

function setHeaders(response, headers) {
  const all = besideVary(headers, response.getHeader('Vary'))
  for (const name of Object.keys(all)) response.header(name, all[name])
}
