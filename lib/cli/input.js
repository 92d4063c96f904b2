'use strict'

const { createInterface } = require('node:readline')
const { UsageError } = require('./faults.js')

/** No key or token is longer; what is longer is still told from one. */
const MOST = 64 * 1024

/** One line from standard input: typed unseen at a terminal, else all that comes, without its last line end. */
async function readSecret(what) {
  const text = process.stdin.isTTY ? await typed(`${what}: `) : await piped()
  if (text === '') throw new UsageError(`The ${what} is read from standard input, and nothing came`)
  return text
}

async function piped() {
  const chunks = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MOST) throw new UsageError('Standard input holds more than a key or token')
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}

/** Without an echo. */
function typed(prompt) {
  return new Promise((resolve, reject) => {
    const { stdin } = process
    let text = ''
    // Before the prompt: who types at once must not see it either.
    stdin.setRawMode(true)
    process.stderr.write(prompt)
    stdin.setEncoding('utf8')
    const end = (settle) => {
      stdin.setRawMode(false)
      stdin.pause()
      stdin.off('data', take)
      process.stderr.write('\n')
      settle()
    }
    const take = (chunk) => {
      for (const character of chunk) {
        if (character === '\r' || character === '\n') return end(() => resolve(text))
        if (character === '\u0004') return end(() => resolve(text))
        if (character === '\u0003') return end(() => reject(new UsageError('Interrupted')))
        text = character === '\u007f' ? text.slice(0, -1) : text + character
      }
    }
    stdin.on('data', take)
    stdin.resume()
  })
}

/** Whether a person says yes. Where nobody is asked it is the caller's own decision. */
async function confirmed(question, { yes }) {
  if (yes || !process.stdin.isTTY || !process.stderr.isTTY) return true
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await new Promise((resolve) => {
      lines.once('close', () => resolve(''))
      lines.question(`${question} [y/N] `, resolve)
    })
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}

module.exports = { confirmed, readSecret }
