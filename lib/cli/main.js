#!/usr/bin/env node
'use strict'

const { run } = require('./run.js')

// Who reads the output may go before its end (`… | head`): that is no fault.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

run(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
