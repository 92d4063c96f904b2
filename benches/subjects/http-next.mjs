/** (h) The protected route of the example, beside the same route without the check, in a copy of the example. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'
import { example, root } from '../../scripts/project.mjs'
import { FAST_HASH, GUARDED, IP, issueKeys } from '../keys.mjs'

// As deep below the root as the example itself: its configuration relies on that.
const app = path.join(root, 'target/bench-nextjs')
const bareRoute = path.join(root, 'benches/servers/bare-route.ts')
let building

export async function open({ databaseUrl }) {
  const [key] = await issueKeys({ databaseUrl, ...FAST_HASH }, 1, GUARDED)
  copyExample()
  await build()
  const url = await serve()
  const headers = { 'x-api-key': key, 'x-forwarded-for': IP }
  return ['/api/bare', '/api/search'].map((route) => ({
    title: `Next.js ${route}`,
    server: 'Next.js 14, the route `/api/search` of the example',
    load: { url: `${url}${route}?q=shoes`, headers, connections: 16 },
  }))
}

export function close() {
  building?.kill()
  rmSync(app, { recursive: true, force: true })
}

function copyExample() {
  rmSync(app, { recursive: true, force: true })
  const left = ['node_modules', '.next'].map((name) => path.join(example, name))
  cpSync(example, app, { recursive: true, filter: (source) => !left.includes(source) })
  symlinkSync(path.join(example, 'node_modules'), path.join(app, 'node_modules'))
  mkdirSync(path.join(app, 'app/api/bare'))
  cpSync(bareRoute, path.join(app, 'app/api/bare/route.ts'))
}

async function build() {
  process.env.NEXT_TELEMETRY_DISABLED = '1'
  const next = path.join(app, 'node_modules/next/dist/bin/next')
  building = spawn(process.execPath, [next, 'build'], { cwd: app, stdio: 'inherit' })
  const [code] = await once(building, 'exit')
  building = undefined
  if (code !== 0) throw new Error('The copy of the example does not build')
}

/** Serves the app in this process, where the addon is configured. */
async function serve() {
  process.env.API_KEYS_TRUSTED_HOPS = '1'
  const next = createRequire(path.join(app, 'package.json'))('next')
  const server = createServer()
  const handling = next({ dir: app, dev: false, httpServer: server })
  await handling.prepare()
  server.on('request', handling.getRequestHandler()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}
