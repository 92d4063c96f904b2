import { connect, createServer, type Socket } from 'node:net'
import { turnsOf, type Turn } from './turns.js'
import { frontend } from './wire.js'

/** A TCP proxy in front of Postgres that sees every statement, and can be the network's fault. */
export interface Tap {
  /** The database's URL, by way of this proxy. */
  url: string
  /** Every statement that was executed through it, in order. */
  statements: string[]
  /** The turns of all clients, in the order in which they began. */
  turns: Turn[]
  /** The ports by which the server knows the connections that are open. */
  ports(): number[]
  /** Refuses new connections and breaks the standing ones. */
  cut(): void
  /** Lets new connections through again. */
  mend(): void
  /** Nothing gets through any more, and nobody is told. */
  freeze(): void
  /** Everything gets through, also what had to wait. */
  thaw(): void
  /** Connections that have executed such a statement are dead from here on, and nobody is told. */
  forget(statement: RegExp): void
  /** Holds back the answer to the next statement that matches; settles when that is on its way. */
  hold(statement: RegExp): Promise<Held>
  close(): Promise<void>
}

export interface Held {
  /** Settles when the server has answered. */
  answered: Promise<void>
  release(): void
}

interface Connection {
  client: Socket
  upstream: Socket
  executed: Set<string>
  /** Takes what the server says while that is held back. */
  held?: ((chunk: Buffer) => void) | undefined
}

/** With `delayMs` everything takes so long, in each direction. */
export async function startTap(databaseUrl: string, { delayMs = 0 } = {}): Promise<Tap> {
  const target = new URL(databaseUrl)
  const connections = new Set<Connection>()
  const statements: string[] = []
  const turns: Turn[] = []
  const later = (work: () => void): void => void (delayMs > 0 ? setTimeout(work, delayMs) : work())
  let opened = 0
  let broken = false
  let frozen = false
  let trap: { statement: RegExp; sprung: (held: Held) => void } | undefined

  const server = createServer((client) => {
    if (broken) return void client.destroy()
    const upstream = connect(Number(target.port), target.hostname)
    const connection: Connection = { client, upstream, executed: new Set() }
    connections.add(connection)
    const turn = turnsOf(opened++, turns)
    const read = frontend((statement) => {
      statements.push(statement)
      turn.executes(statement)
      connection.executed.add(statement)
      if (!trap?.statement.test(statement)) return
      trap.sprung(holdBack(connection))
      trap = undefined
    })
    client.on('data', (chunk) => {
      turn.sends()
      // First, so that an answer to be held cannot be faster.
      read(chunk)
      later(() => upstream.write(chunk))
    })
    upstream.on('data', (chunk) => {
      if (connection.held) return connection.held(chunk)
      later(() => {
        turn.isAnswered()
        client.write(chunk)
      })
    })
    for (const socket of [client, upstream]) {
      if (frozen) socket.pause()
      socket.setNoDelay(true)
      socket.on('error', () => {})
      // Not before what was sent last has got through.
      socket.on('close', () => later(() => destroy(connection)))
    }
  })
  const destroy = (connection: Connection): void => {
    connections.delete(connection)
    connection.client.destroy()
    connection.upstream.destroy()
  }
  const cut = (): void => {
    broken = true
    connections.forEach(destroy)
  }
  const setFrozen = (value: boolean): void => {
    frozen = value
    for (const { client, upstream } of connections) {
      for (const socket of [client, upstream]) value ? socket.pause() : socket.resume()
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as { port: number }).port)
  return {
    url: url.href,
    statements,
    turns,
    ports: () => [...connections].flatMap(({ upstream }) => upstream.localPort ?? []),
    cut,
    mend: () => {
      broken = false
    },
    freeze: () => setFrozen(true),
    thaw: () => setFrozen(false),
    forget: (statement) => {
      for (const { client, upstream, executed } of connections) {
        if (![...executed].some((text) => statement.test(text))) continue
        for (const socket of [client, upstream]) socket.pause()
      }
    },
    hold: (statement) => new Promise((sprung) => (trap = { statement, sprung })),
    close: () => {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function holdBack(connection: Connection): Held {
  const chunks: Buffer[] = []
  const answered = new Promise<void>((settle) => {
    connection.held = (chunk) => {
      chunks.push(chunk)
      settle()
    }
  })
  const release = (): void => {
    connection.held = undefined
    chunks.forEach((chunk) => connection.client.write(chunk))
  }
  return { answered, release }
}
