#!/usr/bin/env node
'use strict'

const { run } = require('./run.js')

// A reader may close the pipe before the end of the output (`… | head`): that is not an error.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

run(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
