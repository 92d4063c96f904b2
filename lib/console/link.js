'use strict'

const { invalidInput } = require('../constants.js')
const { ApiKeyError } = require('../errors.js')
const { ask } = require('./ask.js')

/**
 * An address that signs in to the console once, within five minutes, for an admin token. The code stands in the fragment, which
 * browsers send to nobody: the page takes it from there.
 */
exports.createConsoleLink = async ({ url, tokenId, actor }) => {
  const address = addressOf(url)
  const { code, ...token } = await ask('link', undefined, { tokenId, actor })
  address.hash = `code=${code}`
  return { url: address.href, ...token }
}

function addressOf(url) {
  const address = URL.canParse(url) ? new URL(url) : undefined
  if (address && /^https?:$/.test(address.protocol) && !address.username && !address.password)
    return address
  const message = 'must be the address of the console, such as https://example.com/admin'
  const issues = [{ path: 'url', message }]
  throw new ApiKeyError({ ...invalidInput, message: `Invalid input: url ${message}`, issues })
}
