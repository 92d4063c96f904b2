// An app that the tools run. It tells the test by a file what it does, since the tools keep its output to themselves.
const { appendFileSync } = require('node:fs')
const { createServer } = require('node:http')

const { KEY, PACKAGE, REPORTS, USES } = process.env

async function start() {
  // A control does the same without the package.
  if (PACKAGE) {
    const { verifyApiKey } = require(PACKAGE)
    for (let n = 0; n < Number(USES); n++) await verifyApiKey(KEY)
  }
  createServer().listen(0, '127.0.0.1', () => appendFileSync(REPORTS, `ready ${process.pid}\n`))
}

start()
