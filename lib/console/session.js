'use strict'

// Who uses the console: by a session, which an admin token or a link has opened, or as the app says.

const { listScopes } = require('../../index.js')
const { missingToken } = require('../constants.js')
const { clientOf } = require('../guard/client.js')
const { authorized } = require('../next/admin.js')
const { readObject } = require('../next/body.js')
const { has } = require('../next/requests.js')
const { failure, invalidInput, json } = require('../next/responses.js')
const { view } = require('../next/view.js')
const { ask } = require('./ask.js')
const { throttle } = require('./throttle.js')

/** Browsers take a cookie of such a name only from this host itself, and only if it is secure. */
const COOKIE = '__Host-api-keys-console'
const ATTRIBUTES = 'Path=/; HttpOnly; Secure; SameSite=Strict'
/** A session is shorter. */
const SESSION_MAX = 200

/** Tokens with a wrong signature. One with a right signature is never held up, so nobody can lock others out. */
const forged = throttle(20)
/** Codes that there are not. One that the secret has signed is never held up: of the others, only the database knows them. */
const unknown = throttle(300)

/** The admin of a request: `{ admin }`, or `{ refusal }` with the response to send. */
exports.adminOf = async (request, authorize) => {
  const session = await sessionOf(request)
  if (session) {
    const { tokenId, name, permissions } = session
    return { admin: { tokenId, name, permissions }, session }
  }
  const { admin, refusal } = await authorized(request, authorize)
  if (refusal) return { refusal }
  return admin ? { admin } : { refusal: failure(signedOut) }
}

const signedOut = { ...missingToken, message: 'Sign in to the console' }

/** What the session of the request stands for; `null` if it has none, or one that has ended. */
async function sessionOf(request) {
  const text = cookieOf(request)
  return text ? ((await ask('session', text)) ?? null) : null
}

function cookieOf(request) {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim())
  const found = pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
  return found && found.length <= SESSION_MAX ? found : undefined
}

/** Who is signed in, and what the forms of the console have to know. That nobody is signed in is an answer, and no error. */
exports.show = async (request, { authorize }) => {
  const { admin, session, refusal } = await exports.adminOf(request, authorize)
  if (admin) return json(await described(admin, session))
  return refusal.status === 401 ? json({ signedIn: false }) : refusal
}

async function described({ name, permissions }, session) {
  return {
    signedIn: true,
    by: session ? 'session' : 'app',
    name,
    permissions,
    expiresAt: session ? new Date(session.endsAt) : null,
    scopes: catalogue(),
    ...(await ask('settings')),
  }
}

function catalogue() {
  const scopes = listScopes()
  return scopes && Object.fromEntries(scopes.map(({ scope, ...others }) => [scope, others]))
}

/**
 * Signs in by `token` or `code`. A wrong one is told with status 200: browsers write every failed request to the console that
 * developers look at, and a mistyped token is no failure of the program.
 */
exports.signIn = async (request) => {
  const { value, refusal } = await readObject(request)
  if (refusal) return refusal
  const [token, code] = [textIn(value, 'token'), textIn(value, 'code')]
  if ((token === undefined) === (code === undefined))
    return invalidInput('Either token or code is required', 'token')
  const opened = token === undefined ? await byCode(code) : await byToken(token, request)
  return opened.refusal ?? welcome(request, opened)
}

async function byToken(token, request) {
  // There is no session if the token was revoked a moment ago.
  const opened = await ask('signIn', token, clientOf(view, request))
  if (opened?.session) return opened
  const wait = opened?.isForged ? forged.wait() : 0
  if (wait > 0) return { refusal: tooMany(wait) }
  if (opened?.isForged) forged.count()
  return wrong('INVALID_TOKEN', 'This admin token is not valid: it is wrong, revoked or expired')
}

async function byCode(code) {
  const wait = unknown.wait()
  const opened = wait === 0 || code.includes('.') ? await ask('redeem', code) : undefined
  if (opened) return opened
  if (wait > 0) return { refusal: tooMany(wait) }
  unknown.count()
  return wrong('INVALID_CODE', 'This link was used already, or is older than five minutes')
}

const wrong = (code, message) => ({ refusal: json({ signedIn: false, code, message }) })

const tooMany = (retryAfterMs) =>
  failure({
    status: 429,
    code: 'THROTTLED',
    message: 'Too many wrong admin tokens: try again later',
    retryAfterMs,
  })

async function welcome(request, opened) {
  const before = cookieOf(request)
  if (before) await ask('signOut', before)
  const seconds = Math.max(1, Math.floor((opened.endsAt - Date.now()) / 1000))
  const cookie = `${COOKIE}=${opened.session}; Max-Age=${seconds}; ${ATTRIBUTES}`
  return json(await described(opened, opened), 200, { 'Set-Cookie': cookie })
}

exports.signOut = async (request) => {
  const session = cookieOf(request)
  if (session) await ask('signOut', session)
  return json({ signedIn: false }, 200, { 'Set-Cookie': `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}` })
}

function textIn(body, name) {
  return has(body, name) && typeof body[name] === 'string' ? body[name].trim() : undefined
}
