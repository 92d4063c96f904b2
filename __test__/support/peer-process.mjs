// Another process with the addon: calls what its parent sends it, one function at a time or many at once.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const api = require('../../index.js')
const { stats } = require('../../native.js')
const here = { api, stats: () => JSON.parse(stats()), require }

process.on('message', async ({ id, source, args }) => {
  const call = async () => new Function(`return ${source}`)()(here, ...args)
  const answer = await call().then(
    (value) => ({ value }),
    ({ name, message, code, status }) => ({ fault: { name, message, code, status } }),
  )
  process.send({ id, ...answer })
})
process.once('disconnect', () => process.exit())
