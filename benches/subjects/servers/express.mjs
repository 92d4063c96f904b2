/** (l) Express. */
import { OPTIONS, announcement, listening, opening, require, verified } from './guarded.mjs'

export const { open } = opening('Express', () => {
  const { requireApiKey } = require('../../../lib/servers/express.js')
  const app = require('express')()
  app.get('/bare', (_request, response) => response.json({ clientId: 'client-0' }))
  const check = async (request, _response, next) => {
    request.apiKey = await verified(request.get('x-api-key'), request.socket.remoteAddress)
    next()
  }
  const announce = (request, response, next) => {
    response.set(announcement(request.apiKey))
    next()
  }
  const respond = ({ apiKey: { clientId } }, response) => response.json({ clientId })
  app.get('/verified', check, respond)
  app.get('/announced', check, announce, respond)
  app.get('/guarded', requireApiKey(OPTIONS), respond)
  return listening(app)
})
