'use strict'

const { createInterface } = require('node:readline')
const { UsageError } = require('./errors.js')

/** Keys and tokens are far shorter. The bound leaves room to recognise a longer text as none, and keeps memory small. */
const MAX_LENGTH = 64 * 1024
/** Some ten thousand keys. */
const MAX_LENGTH_OF_MANY = 1024 * 1024

/** Reads a key: typed unseen at a terminal, otherwise all of standard input. White space around it is not part of it. */
async function readSecret(what, maxLength = MAX_LENGTH) {
  const read = process.stdin.isTTY ? await typed(`${what}: `) : await piped(maxLength)
  const text = read.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '')
  if (text === '') {
    throw new UsageError(`The ${what} is read from standard input, which was empty`)
  }
  return text
}

/** Reads keys with white space between them. None of them has any. */
const readSecrets = async (what) => (await readSecret(what, MAX_LENGTH_OF_MANY)).split(/\s+/)

async function piped(maxLength) {
  const chunks = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxLength) {
      throw new UsageError('Standard input is too long')
    }
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The lines of standard input that are not blank, however many there are: `{ number, text }`. */
async function* pipedLines() {
  if (process.stdin.isTTY)
    throw new UsageError('Lines are read from a file or a pipe, since what is typed would be shown')
  process.stdin.setEncoding('utf8')
  let [number, rest] = [0, '']
  for await (const chunk of process.stdin) {
    const lines = (rest + chunk).split(/\r?\n/)
    rest = lines.pop()
    if (rest.length > MAX_LENGTH) throw new UsageError('Standard input has a line that is too long')
    for (const line of lines) {
      number++
      if (line.trim() !== '') yield { number, text: line.trim() }
    }
  }
  if (rest.trim() !== '') yield { number: number + 1, text: rest.trim() }
}

/** Reads a line from the terminal without showing it. */
function typed(prompt) {
  return new Promise((resolve, reject) => {
    const { stdin } = process
    let text = ''
    // Set before the prompt, so that nothing typed at once is shown.
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

/** Whether there is somebody to ask. */
const isInteractive = () => Boolean(process.stdin.isTTY && process.stderr.isTTY)

/** Asks for confirmation at a terminal. Elsewhere there is no one to ask: the caller has decided. */
async function confirmed(question, { yes }) {
  if (yes || !isInteractive()) return true
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

module.exports = { confirmed, isInteractive, pipedLines, readSecret, readSecrets }
