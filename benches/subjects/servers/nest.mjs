/** (l) NestJS on Express. */
import { OPTIONS, announcement, opening, require, verified } from './guarded.mjs'

export const { open } = opening('NestJS on Express', async () => {
  const { ApiKey, RequireApiKey } = require('../../../lib/servers/nest.js')
  const { Controller, Get, Module, UseGuards, createParamDecorator } = require('@nestjs/common')
  const { NestFactory } = require('@nestjs/core')
  // As the decorators of TypeScript do it.
  class Routes {
    bare() {
      return { clientId: 'client-0' }
    }
    verified({ clientId }) {
      return { clientId }
    }
    announced({ clientId }) {
      return { clientId }
    }
    guarded({ clientId }) {
      return { clientId }
    }
  }
  const decorate = (name, ...decorators) => {
    const method = Object.getOwnPropertyDescriptor(Routes.prototype, name)
    for (const decorator of decorators) decorator(Routes.prototype, name, method)
  }
  decorate('bare', Get('bare'))
  class Check {
    async canActivate(context) {
      const request = context.switchToHttp().getRequest()
      request.apiKey = await verified(request.get('x-api-key'), request.socket.remoteAddress)
      return true
    }
  }
  class Announce {
    async canActivate(context) {
      const { apiKey } = context.switchToHttp().getRequest()
      context.switchToHttp().getResponse().set(announcement(apiKey))
      return true
    }
  }
  const Checked = createParamDecorator(
    (_data, context) => context.switchToHttp().getRequest().apiKey,
  )
  decorate('verified', Get('verified'), UseGuards(Check))
  Checked()(Routes.prototype, 'verified', 0)
  decorate('announced', Get('announced'), UseGuards(Check, Announce))
  Checked()(Routes.prototype, 'announced', 0)
  decorate('guarded', Get('guarded'), RequireApiKey(OPTIONS))
  ApiKey()(Routes.prototype, 'guarded', 0)
  Controller()(Routes)
  class App {}
  Module({ controllers: [Routes] })(App)
  const app = await NestFactory.create(App, { logger: false })
  await app.listen(0, '127.0.0.1')
  return app.getHttpServer()
})
