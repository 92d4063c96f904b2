'use strict'

// `/api/leaks`: the reports of GitHub's secret scanning partner program. Its signature decides, so there is nothing to authorize.

const { verify } = require('node:crypto')
const { reportLeakedKeys } = require('../../index.js')
const { internal } = require('../constants.js')
const { reportAll } = require('../leak-reports.js')
const { parsed, readBytes } = require('./body.js')
const { checkOptions } = require('../guard/options.js')
const { failure, invalidInput, json, routeHandler, unauthorized } = require('./responses.js')
const { signingKeys } = require('./signing-keys.js')

const MAX_BYTES = 1024 * 1024
/** What a report must not exceed. A longer text is cut here: a leak is dealt with, however long its address is. */
const MAX_LENGTHS = { token: 256, url: 2_048, source: 255 }

const CHALLENGE = 'Signature realm="GitHub secret scanning"'

/** The handlers of `/api/leaks`. */
exports.leakRoutes = (options = {}) => {
  const checked = checkOptions('leakRoutes', options, ['keys', 'action', 'onLeak'])
  const { keys, action = 'revoke', onLeak } = checked
  const keyOf = signingKeys(keys)
  const POST = async (request) => {
    const { bytes, refusal } = await signedBody(request, keyOf)
    if (refusal) return refusal
    const matches = matchesIn(parsed(bytes))
    if (!matches) return notReport()
    const reports = matches.map(reportOf)
    // All keys are dealt with before the app is told.
    const answers = await reportAll(reportLeakedKeys, reports, { action })
    const errors = await told(reports, answers, onLeak)
    return errors.length === 0 ? json(matches.map(labelled(answers))) : notTold(errors, action)
  }
  return { POST: routeHandler(POST) }
}

/** The body as it was signed: `{ bytes }`, or `{ refusal }`. It is read only if the key of the signature is known. */
async function signedBody(request, keyOf) {
  const id = request.headers.get('github-public-key-identifier')
  const signature = request.headers.get('github-public-key-signature')
  const key = id && signature ? await keyOf(id) : undefined
  if (!key) return { refusal: notSigned() }
  const { bytes, refusal } = await readBytes(request, MAX_BYTES)
  if (refusal) return { refusal }
  const isSigned = verify('sha256', bytes, key, Buffer.from(signature, 'base64'))
  return isSigned ? { bytes } : { refusal: notSigned() }
}

const isText = (value) => typeof value === 'string'

const isObject = (value) => typeof value === 'object' && value !== null

/** The matches of a report, or `undefined` if it is none. They are without a prototype, since that may be polluted. */
function matchesIn(report) {
  if (!Array.isArray(report) || !report.every(isObject)) return undefined
  const matches = report.map((match) => ({ __proto__: null, ...match }))
  return matches.every(({ token, type }) => isText(token) && isText(type)) ? matches : undefined
}

const reportOf = ({ token, url, source }) => ({
  key: fitting(token, MAX_LENGTHS.token),
  url: fitting(url, MAX_LENGTHS.url),
  source: fitting(source, MAX_LENGTHS.source),
})

/** A text that the addon takes: well-formed, without NUL, and short enough. What is no text is left out. */
const fitting = (text, most) =>
  isText(text) ? Buffer.from(text.slice(0, most)).toString().replaceAll('\0', '\ufffd') : undefined

/** Tells the app each leak of a key, whatever it threw about others. Returns what it has thrown. */
async function told(reports, answers, onLeak) {
  const errors = []
  if (!onLeak) return errors
  for (const [at, { known, keyId }] of answers.entries()) {
    const { url, source } = reports[at]
    try {
      if (known) await onLeak({ keyId, url: url || null, source: source || null })
    } catch (error) {
      errors.push(error)
    }
  }
  return errors
}

const labelled =
  (answers) =>
  ({ token, type }, at) => ({
    token_raw: token,
    token_type: type,
    label: answers[at].known ? 'true_positive' : 'false_positive',
  })

const notSigned = () =>
  unauthorized(CHALLENGE, {
    status: 401,
    code: 'INVALID_SIGNATURE',
    message: 'The request is not signed by GitHub',
  })

const notReport = () =>
  invalidInput('Request body must be a JSON array of objects with the texts token and type')

/** GitHub sends the report again, and then the app is told again. The cause is for the operator only. */
function notTold(errors, action) {
  errors.forEach((error) => console.error(error))
  const done = action === 'revoke' ? 'revoked' : 'recorded'
  return failure({ ...internal, message: `The keys are ${done}, but onLeak failed` })
}
