'use strict'

// Sends the requests that the native side has put together and signed. It says when one is due, and whether an address may be
// reached: the one that was checked is the one that is connected to.

const dns = require('node:dns')
const http = require('node:http')
const https = require('node:https')
const { isIP } = require('node:net')
const native = require('./addon.js')

/** Bytes of an answer that are read. */
const BODY_MAX = 64 * 1024
/** How long the rest of an answer may take, in milliseconds. */
const GRACE_MS = 1_000

/** Apart from the app's own connections: these were made to addresses that were checked. */
const agents = {
  'http:': new http.Agent({ keepAlive: true }),
  'https:': new https.Agent({ keepAlive: true }),
}

class NotAllowed extends Error {
  code = 'the address is private, and webhookAllowedNetworks does not have it'
}

/** Resolves the name to those of its addresses that may be reached. */
function lookup(hostname, options, callback) {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error)
    const allowed = addresses.filter(({ address }) => native.mayReach(address))
    if (allowed.length === 0) return callback(new NotAllowed())
    if (options.all) return callback(null, allowed)
    callback(null, allowed[0].address, allowed[0].family)
  })
}

/** The address that stands in the place of a name. Of these nothing is looked up. */
function literalAddress({ hostname }) {
  const plain = hostname.replace(/^\[|\]$/g, '')
  return isIP(plain) ? plain : undefined
}

/** Resolves with why the request was not accepted, or with nothing. Any answer but 2xx is a refusal; redirects are not followed. */
function post({ url, headers, body, timeoutMs }) {
  const target = new URL(url)
  const address = literalAddress(target)
  if (address && !native.mayReach(address)) return Promise.resolve(new NotAllowed().code)
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent: agents[target.protocol],
      lookup,
      signal,
    }
    const request = (target.protocol === 'https:' ? https : http).request(target, options)
    // What is to be delivered does not keep the process alive.
    request.on('socket', (socket) => socket.unref())
    request.on('error', (error) =>
      resolve(signal.aborted ? `no answer within ${timeoutMs} ms` : (error.code ?? error.name)),
    )
    request.on('response', (response) => {
      const { statusCode } = response
      // Nothing in the body matters. A short one is read, so that the connection can be used again.
      let left = BODY_MAX
      response.on('error', () => {})
      response.on('data', (part) => (left -= part.length) < 0 && response.destroy())
      const grace = setTimeout(() => response.destroy(), GRACE_MS).unref()
      response.on('close', () => clearTimeout(grace))
      resolve(statusCode >= 200 && statusCode < 300 ? undefined : `HTTP ${statusCode}`)
    })
    request.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve(`HTTP ${response.statusCode}`)
    })
    request.on('close', () => resolve('the connection was closed without an answer'))
    request.end(body)
  })
}

/** Sends a request, and says how it ended. */
async function send(json) {
  const request = JSON.parse(json)
  let problem
  try {
    problem = await post(request)
  } catch (error) {
    problem = String(error?.code ?? error?.name ?? 'it cannot be sent')
  }
  native.requestEnded(request.id, problem)
}

exports.send = send
