import { expect } from 'vitest'
import type { Database } from './database.js'
import { eventually } from './eventually.js'
import type { Tap } from './tap.js'

/** Ends all sessions on the server that came through the tap; settles when their connections are gone. */
export async function terminate({ ports }: Tap, sql: Database['sql']): Promise<void> {
  const open = ports()
  await sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = ANY ($1::integer[])`,
    [open],
  )
  await eventually(() => expect(ports().filter((port) => open.includes(port))).toEqual([]))
}
