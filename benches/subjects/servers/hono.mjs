/** (l) Hono. */
import { OPTIONS, announcement, listening, opening, require, verified } from './guarded.mjs'

export const { open } = opening('Hono', () => {
  const { requireApiKey } = require('../../../lib/servers/hono.js')
  const { Hono } = require('hono')
  const { getRequestListener } = require('@hono/node-server')
  const { getConnInfo } = require('@hono/node-server/conninfo')
  const app = new Hono()
  app.get('/bare', (c) => c.json({ clientId: 'client-0' }))
  const check = async (c, next) => {
    c.set('apiKey', await verified(c.req.header('x-api-key'), getConnInfo(c).remote.address))
    await next()
  }
  const announce = async (c, next) => {
    const headers = announcement(c.get('apiKey'))
    for (const name of Object.keys(headers)) c.header(name, headers[name])
    await next()
  }
  const respond = (c) => c.json({ clientId: c.get('apiKey').clientId })
  app.get('/verified', check, respond)
  app.get('/announced', check, announce, respond)
  app.get('/guarded', requireApiKey(OPTIONS), respond)
  return listening(getRequestListener(app.fetch))
})
