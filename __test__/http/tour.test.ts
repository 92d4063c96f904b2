import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocks, read } from '../docs/markdown.js'
import { run } from '../support/child.js'
import { addon } from '../support/addon.js'
import { useApp } from '../support/example-app.js'

const app = useApp()
const [, tour] = read('README.md').split('### A tour in 60 seconds')
const [commands] = blocks(tour!, 'bash')
const [search, whoami, list, make, limit, ...others] = commands!.trim().split('\n')

let folder: string
let demo: { id: string; key: string }
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tour-'))
  mkdirSync(join(folder, '.data'))
  const { token } = await addon.createAdminToken({ name: 'Tour', permissions: ['*'] })
  demo = (await app.create({ name: 'Demo', clientId: 'demo' })) as typeof demo
  writeFileSync(join(folder, '.data/admin-token'), token)
  writeFileSync(join(folder, '.data/demo-key'), demo.key)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A line of the tour, as `npm start` prints it. */
async function curl(line: string) {
  const command = line.replace('http://localhost:3000', app.url()).replace('<an id>', demo.id)
  const child = await run(['bash', '-euc', `${command} --silent --write-out '\\n%{http_code}'`], {
    cwd: folder,
  })
  expect(child.code, child.stderr).toBe(0)
  const [body, status] = child.stdout.split('\n')
  return { status: Number(status), body: JSON.parse(body!) as Record<string, unknown> }
}

test('the tour of the README goes as it says', async () => {
  expect(others).toEqual([])
  expect(await curl(search!)).toMatchObject({ status: 200, body: { clientId: 'demo' } })
  expect(await curl(whoami!)).toMatchObject({ status: 200 })
  expect(await curl(list!)).toMatchObject({ status: 200, body: [{ id: demo.id, name: 'Demo' }] })
  const made = await curl(make!)
  expect(made).toMatchObject({ status: 201, body: { name: 'Search', clientId: 'acme' } })
  expect(made.body.key).toMatch(/^sophra_live_/)
  expect(await curl(limit!)).toMatchObject({ status: 200, body: { id: demo.id, rateLimit: 5 } })
  const statuses: number[] = []
  for (let time = 0; time < 6; time++) statuses.push((await curl(search!)).status)
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
})
