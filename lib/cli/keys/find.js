'use strict'

const { Exit, UsageError } = require('../errors.js')
const { readSecret } = require('../input.js')
const { beginningWith } = require('./beginning.js')
const { table } = require('./fields.js')

/** More keys than anybody looks through. */
const MOST = 100

module.exports = {
  summary: 'Finds the keys whose id, or the key itself, begins with a text: which key is this?',
  details: `The beginning of a key is not secret: lists show it as START. Without an argument, a whole key is read from standard
input, of which only the beginning is used; at a terminal it is not shown as you type.
Exit code 0: found, 1: there is no such key.`,
  positionals: ['[<beginning>]'],
  examples: [
    ['npx @sophra/api-keys keys find sophra_live_6sXr0GpHbT2d', 'Find a key by its beginning'],
    ['npx @sophra/api-keys keys find < leaked.txt', 'Find the row of a key that has leaked'],
  ],
  async run({ positionals: [given] }, output, addon) {
    const beginning = given === undefined ? await typed(addon) : notSecret(given, addon)
    const keys = await beginningWith(addon, beginning, ({ id, start }) => [id, start], MOST)
    if (output.json) output.value(keys)
    else if (keys.length > 0) output.table(...table(keys))
    else output.note('There are no such keys.')
    if (keys.length === MOST) output.note(`Only the first ${MOST} keys are shown.`)
    return keys.length > 0 ? Exit.ok : Exit.negative
  },
}

async function typed(addon) {
  const { start, note } = addon.inspectKey(await readSecret('key'))
  if (start !== null) return start
  throw new UsageError(note, 'keys find')
}

function notSecret(text, addon) {
  if (addon.inspectKey(text).origin !== 'issued') return text
  throw new UsageError(
    'A whole key is read from standard input, never from the command line, where other users can see it',
    'keys find',
  )
}
