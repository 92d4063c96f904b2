import { cpSync, existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../../support/child.js'
import type { GuardedApiKey } from '../../../next.js'
import { versionOf, type Call, type Framework, type Route } from './framework.js'

type Platform = 'express' | 'fastify'

/** A version of Nest, by the folder in which it is installed. */
export function nest(folder: string, platform: Platform): Framework {
  const load = createRequire(join(folder, 'app.js'))
  const adapter = () =>
    load(
      folder === root ? './lib/servers/nest.js' : copied(folder),
    ) as typeof import('../../../lib/servers/nest.js')
  return {
    name: platform === 'express' ? 'Nest on Express' : 'Nest on Fastify',
    version: versionOf('@nestjs/core', folder),
    guard: (options) => adapter().RequireApiKey(options as object),
    async serve(routes) {
      const [common, core] = [load('@nestjs/common'), load('@nestjs/core')]
      class Module {}
      const controllers = [controllerOf(routes, common, adapter())]
      common.Module({ controllers })(Module)
      const { FastifyAdapter } = platform === 'fastify' ? load('@nestjs/platform-fastify') : {}
      const on = FastifyAdapter ? [new FastifyAdapter()] : []
      const app = await core.NestFactory.create(Module, ...on, { logger: false })
      await app.listen(0, '127.0.0.1')
      return { url: await app.getUrl(), close: () => app.close() }
    },
  }
}

/** A copy of the package beside an older Nest, as npm installs it there. */
function copied(folder: string): string {
  const copy = join(folder, 'node_modules/@sophra/api-keys')
  const { files, napi } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  rmSync(copy, { recursive: true, force: true })
  for (const file of ['package.json', ...files])
    cpSync(join(root, file), join(copy, file), { recursive: true })
  for (const target of ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-arm64', 'darwin-x64']) {
    const addon = `${napi.binaryName}.${target}.node`
    if (existsSync(join(root, addon))) symlinkSync(join(root, addon), join(copy, addon))
  }
  return '@sophra/api-keys/nest'
}

/** A class as the decorators of TypeScript make it. */
function controllerOf(
  routes: Route[],
  common: any,
  { ApiKey, RequireApiKey }: typeof import('../../../lib/servers/nest.js'),
): Function {
  class Controller {}
  const prototype = Controller.prototype as Record<string, unknown>
  for (const { method, path, options, handle } of routes) {
    const name = `${method} ${path}`
    prototype[name] = async (apiKey: GuardedApiKey, body: unknown, response: any) => {
      const call: Call = { apiKey, body: async () => body }
      const result = await handle(call)
      response.status(result.status ?? 200)
      for (const [name, value] of Object.entries(result.headers ?? {})) response.header(name, value)
      return result.body
    }
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!
    const verbs = { get: common.Get, options: common.Options, post: common.Post }
    verbs[method](path)(prototype, name, descriptor)
    if (options) RequireApiKey(options)(prototype as never, name, descriptor)
    ApiKey()(prototype, name, 0)
    common.Body()(prototype, name, 1)
    common.Res({ passthrough: true })(prototype, name, 2)
  }
  common.Controller()(Controller)
  return Controller
}
