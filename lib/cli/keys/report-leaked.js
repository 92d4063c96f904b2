'use strict'

const { reportAll } = require('../../leak-reports.js')
const { Exit } = require('../errors.js')
const { readSecrets } = require('../input.js')
const { textUpTo } = require('../values.js')

module.exports = {
  summary: 'Revokes keys that were found where others can read them, as compromised.',
  details: `The texts that may be keys are read from standard input, separated by white space, such as one per line; at a terminal one
is read, which is not shown as you type. No key is printed. What is no key is sorted out by its checksum, without the database.
A revocation as compromised is final. With --notify the keys stay, and each leak is only in the audit log and in the events.
Exit code 0: at least one text is a key, 1: none is.`,
  secret: 'key',
  options: {
    notify: { type: 'boolean', help: 'Revoke nothing' },
    url: { ...textUpTo(2_048), value: '<url>', help: 'Where they were found, for the audit log' },
    source: {
      ...textUpTo(255),
      value: '<name>',
      help: 'What that is, for the audit log, e.g. commit',
    },
  },
  examples: [
    ['npx @sophra/api-keys keys report-leaked < leaked.txt', 'Revoke the keys in a file'],
    [
      'npx @sophra/api-keys keys report-leaked --url https://example.com/paste/42 --source paste < leaked.txt',
      'Note where they were found',
    ],
    [
      "jq -r '.[].Secret' leaks.json | npx @sophra/api-keys keys report-leaked --notify",
      'Check what gitleaks has found, and revoke nothing',
    ],
  ],
  async run({ options: { notify, url, source } }, output, addon) {
    const reports = (await readSecrets('key')).map((key) => ({ key, url, source }))
    const action = notify ? 'notify' : 'revoke'
    const answers = await reportAll(addon.reportLeakedKeys, reports, { action })
    if (output.json) output.value(answers)
    else output.table(HEADINGS, answers.map(rowOf(action)))
    return answers.some(({ known }) => known) ? Exit.ok : Exit.negative
  },
}

const HEADINGS = ['TEXT', 'RESULT', 'ID']
const RESULTS = { revoke: 'revoked', notify: 'known' }

/** The place of a text stands for it. */
const rowOf =
  (action) =>
  ({ known, keyId }, at) => [at + 1, known ? RESULTS[action] : 'no key', keyId]
