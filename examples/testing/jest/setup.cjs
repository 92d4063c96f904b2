const { startServer } = require('../support/server.js')

/** Starts one server for the whole run. Each test file makes a database of its own on it. */
module.exports = async () => {
  const server = await startServer()
  globalThis.stopServer = server.stop
  // The workers inherit this environment.
  process.env.TEST_SERVER_URL = server.url
}
