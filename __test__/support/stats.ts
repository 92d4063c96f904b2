import { createRequire } from 'node:module'

/** The work of this process since the addon was started. Only for tests, not part of the package's contract. */
export interface Stats {
  /** Computations of argon2id, those that only take as long as one included. */
  hashes: number
  /** Rows asked for by a presented key. */
  selects: number
  /** Keys in memory. */
  cached: number
}

const native = createRequire(import.meta.url)('../../native.js') as { stats(): string }

export const stats = (): Stats => JSON.parse(native.stats()) as Stats
