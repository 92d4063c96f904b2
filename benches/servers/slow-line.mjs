/** A line to Postgres that takes its time: everything arrives `delayMs` later, in both directions. Opening a connection is not delayed. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const { databaseUrl, delayMs } = JSON.parse(process.argv[2])
const { hostname, port } = new URL(databaseUrl)
const later = (work) => setTimeout(work, delayMs)

const server = createServer((client) => {
  const upstream = connect(Number(port), hostname)
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ]) {
    from.setNoDelay(true)
    from.on('data', (chunk) => later(() => to.write(chunk)))
    from.on('error', () => {})
    from.on('close', () => later(() => to.destroy()))
  }
}).listen(0, '127.0.0.1')
await once(server, 'listening')
process.send(server.address().port)
process.once('disconnect', () => process.exit())
