import { startServer } from '../support/server.js'

/** Starts one server for the whole run. Each test file makes a database of its own on it. */
export default async function setup(project) {
  const server = await startServer()
  project.provide('serverUrl', server.url)
  return () => server.stop()
}
