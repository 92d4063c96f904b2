import { connect, createServer, type Socket } from 'node:net'

export interface Proxy {
  /** The database's URL, by way of this proxy. */
  url: string
  /** The names of the statements that were prepared through it, '' for an unnamed one. */
  prepared: string[]
  /** Refuses new connections and breaks the standing ones. */
  cut(): void
  /** Lets new connections through again. */
  mend(): void
  /**
   * Forwards the next message to the server that contains `text`, and no answer after it. Settles
   * when that message is on its way; `cut()` is up to the caller.
   */
  swallowAnswerTo(text: string): Promise<void>
  close(): Promise<void>
}

/** A TCP proxy in front of Postgres: the network's faults, at the moment that a test wants them. */
export async function startProxy(databaseUrl: string): Promise<Proxy> {
  const target = new URL(databaseUrl)
  const pairs = new Set<[Socket, Socket]>()
  const prepared: string[] = []
  let broken = false
  let trap: { text: string; sprung: () => void } | undefined

  const server = createServer((client) => {
    if (broken) return void client.destroy()
    const upstream = connect(Number(target.port), target.hostname)
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    let muted = false
    client.on('data', (chunk) => {
      prepared.push(...preparedIn(chunk))
      const caught = trap && chunk.includes(trap.text) ? trap : undefined
      muted ||= caught !== undefined
      upstream.write(chunk)
      if (caught) {
        trap = undefined
        caught.sprung()
      }
    })
    upstream.on('data', (chunk) => {
      if (!muted) client.write(chunk)
    })
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => destroy(pair))
    }
  })
  const destroy = (pair: [Socket, Socket]): void => {
    pairs.delete(pair)
    for (const socket of pair) socket.destroy()
  }
  const cut = (): void => {
    broken = true
    for (const pair of pairs) destroy(pair)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as { port: number }).port)
  return {
    url: url.href,
    prepared,
    cut,
    mend: () => {
      broken = false
    },
    swallowAnswerTo: (text) => new Promise((resolve) => (trap = { text, sprung: resolve })),
    close: () => {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** The statements that a chunk prepares: messages of a type, a length, and here a name. */
function preparedIn(chunk: Buffer): string[] {
  const names: string[] = []
  for (let at = 0; at + 5 < chunk.length; at += 1 + chunk.readUInt32BE(at + 1)) {
    if (chunk[at] !== 'P'.charCodeAt(0)) continue
    names.push(chunk.toString('utf8', at + 5, chunk.indexOf(0, at + 5)))
  }
  return names
}
