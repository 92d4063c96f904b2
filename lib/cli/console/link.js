'use strict'

const { Exit } = require('../errors.js')

/** Where `npm start` serves the console. */
const DEFAULT_URL = 'http://localhost:3000/admin'

module.exports = {
  summary: 'Prints a link that signs in to the console once, within five minutes.',
  details: `The session that it opens may do what one admin token may: by default the newest valid one, of those that may do
everything if there are any. It ends with that token, after 12 hours at the latest. Whoever has the link first is signed in, so give
it to nobody else. It works if the app uses the same database.`,
  options: {
    url: { value: '<address>', help: `The address of the console; ${DEFAULT_URL} by default` },
    'admin-token': { value: '<id>', help: 'The id of the admin token that the session stands for' },
  },
  examples: [
    ['npx @sophra/api-keys console link', 'For the console of the example app'],
    [
      'npx @sophra/api-keys console link --url https://example.com/admin --env .env',
      'For your own, with the variables of a file',
    ],
  ],
  flags: { tokenId: '--admin-token', url: '--url' },
  async run({ options }, output, addon) {
    const { url = DEFAULT_URL, 'admin-token': tokenId } = options
    const link = await addon.createConsoleLink({ url, tokenId }).catch(explain)
    if (output.json) {
      output.value(link)
    } else {
      output.note(`Signs in once as ${link.name} (${link.tokenId}), within five minutes:`)
      output.print(link.url)
    }
    return Exit.ok
  },
}

/** Says what a link needs, before the first admin token is there. */
function explain(error) {
  if (error.code !== 'NOT_FOUND') throw error
  const hint =
    "A link needs a valid admin token: npx @sophra/api-keys admin-tokens create --name Me --permission '*'"
  throw Object.assign(error, { hint })
}
