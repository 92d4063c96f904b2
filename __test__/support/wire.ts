// The part of the Postgres protocol that shows which statements a client executes.

const START_UP = 3 << 16

/** Reads what one client sends, however it is cut into chunks; names each statement as it is executed. */
export function frontend(executed: (statement: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let started = false
  const prepared = new Map<string, string>()
  const portals = new Map<string, string>()

  const message = (type: string, body: Buffer): void => {
    const [first = '', second = ''] = body.toString('latin1').split('\0', 2)
    if (type === 'Q') executed(first)
    if (type === 'P') prepared.set(first, second)
    if (type === 'B') portals.set(first, prepared.get(second) ?? '')
    if (type === 'E') executed(portals.get(first) ?? '')
  }
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      // The first messages of a connection have no type.
      const head = started ? 1 : 0
      if (rest.length < head + 4) return
      const end = head + rest.readUInt32BE(head)
      if (rest.length < end) return
      if (started) message(String.fromCharCode(rest[0]!), rest.subarray(head + 4, end))
      // Others ask for encryption first.
      else started = rest.readUInt32BE(4) === START_UP
      rest = rest.subarray(end)
    }
  }
}
