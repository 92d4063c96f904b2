// Round trips: a client's turn, and the answer to it.

/** What a client sends without waiting for an answer. Opening the connection is none. */
export interface Turn {
  /** The number of the connection. */
  connection: number
  /** Empty for a turn that opens a session, prepares a statement, or only asks whether anyone is there. */
  statements: string[]
  began: number
  /** When the first of the answer reached the client. */
  answered?: number
}

/** Keeps the turns of one connection: what is sent after something was received begins another one. */
export function turnsOf(connection: number, turns: Turn[]) {
  let current: Turn | undefined
  return {
    sends: (): void => {
      if (current && current.answered === undefined) return
      current = { connection, statements: [], began: performance.now() }
      turns.push(current)
    },
    executes: (statement: string): void => void current?.statements.push(statement),
    isAnswered: (): void => {
      if (current) current.answered ??= performance.now()
    },
  }
}

/** The lookup of presented keys. */
export const LOOKUP = /^\s*(SELECT|WITH)\b[^]*"previousLookup" =/

/** The turns of the connections that carry such a statement. */
export function carrying(turns: Turn[], statement: RegExp): Turn[] {
  const matches = (turn: Turn): boolean => turn.statements.some((text) => statement.test(text))
  const carriers = new Set(turns.filter(matches).map(({ connection }) => connection))
  return turns.filter(({ connection }) => carriers.has(connection))
}

/**
 * How many of the turns followed upon each other, on whatever connections: the most that can be picked so that each begins when
 * the one before was answered. Over a line that delays, this is never more than the time divided by the delay.
 */
export function inTurn(turns: Turn[]): number {
  const ended = turns.map(({ began, answered = Infinity }) => ({ began, answered }))
  let [count, free] = [0, -Infinity]
  for (const { began, answered } of ended.sort((a, b) => a.answered - b.answered)) {
    if (began < free) continue
    count += 1
    free = answered
  }
  return count
}

/** What is sent in each turn: `lookup`, or the beginning of another statement. */
export const contents = (turns: Turn[]): string[][] =>
  turns.map(({ statements }) =>
    statements.map((text) => (LOOKUP.test(text) ? 'lookup' : text.trim().slice(0, 60))),
  )
