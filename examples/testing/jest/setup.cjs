const { startServer } = require('../support/server.js')

/** One server for the whole run; each test file makes a database of its own on it. */
module.exports = async () => {
  const server = await startServer()
  globalThis.stopServer = server.stop
  // The workers are started with this environment.
  process.env.TEST_SERVER_URL = server.url
}
