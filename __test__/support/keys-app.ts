import { serve } from '@hono/node-server'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import type { ClientKeyOwner } from '../../next.js'
import { next } from './next.js'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where each version of React is. */
const REACT = {
  18: {
    react: 'examples/nextjs/node_modules/react',
    dom: 'examples/nextjs/node_modules/react-dom',
  },
  19: { react: 'node_modules/react19', dom: 'node_modules/react-dom19' },
}

export type ReactVersion = keyof typeof REACT

/** The version of React that is bundled. */
export const versionOf = (version: ReactVersion): string =>
  require(path.join(root, REACT[version].react, 'package.json')).version

interface File {
  type: string
  text: string
}

/** The files of the page, with this version of React. */
async function bundled(version: ReactVersion): Promise<Map<string, File>> {
  const { react, dom } = REACT[version]
  const at = (folder: string) => path.join(root, folder)
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root: at('__test__/browser'),
    resolve: {
      alias: [
        { find: /^react$/, replacement: at(`${react}/index.js`) },
        { find: /^react-dom\/client$/, replacement: at(`${dom}/client.js`) },
        { find: /^react-dom$/, replacement: at(`${dom}/index.js`) },
        { find: /^scheduler$/, replacement: schedulerOf(at(dom)) },
      ],
    },
    build: {
      write: false,
      rollupOptions: {
        input: at('__test__/browser/keys-page.js'),
        output: { entryFileNames: 'page.js', assetFileNames: 'page[extname]' },
      },
    },
  })
  const { output } = built as { output: { fileName: string; code?: string; source?: unknown }[] }
  const typeOf = (name: string) => (name.endsWith('.css') ? 'text/css' : 'text/javascript')
  return new Map(
    output.map(({ fileName, code, source }) => [
      `/${fileName}`,
      { type: typeOf(fileName), text: code ?? String(source) },
    ]),
  )
}

const schedulerOf = (dom: string): string =>
  createRequire(path.join(dom, 'index.js')).resolve('scheduler')

const PAGE = `<!doctype html><html lang="en"><title>Keys</title><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/page.css"><main><h1>Account</h1><div id="root"></div></main>
<script type="module" src="/page.js"></script></html>`

/** Nothing inline, and nothing of another host. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"

export interface KeysApp {
  url: string
  stop(): Promise<void>
}

/** An app that is no Next.js app, with a page on which a client manages their keys. */
export async function startKeysApp(
  version: ReactVersion,
  owner: () => ClientKeyOwner | null,
): Promise<KeysApp> {
  const files = await bundled(version)
  const routes = next.clientKeyRoutes({ owner })
  const fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/api/account/keys')) return routes[request.method as 'GET'](request)
    const file = files.get(pathname) ?? { type: 'text/html', text: PAGE }
    const headers = { 'content-type': file.type, 'content-security-policy': POLICY }
    return new Response(file.text, { headers })
  }
  const server = serve({ fetch, port: 0, hostname: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}
