/** A new process that verifies a key and creates one: sends the seconds that each call took. Loading the package is not counted. */
import addon from '../../index.js'

const { options, key } = JSON.parse(process.argv[2])

const times = [performance.now()]
addon.configure(options)
const { valid } = await addon.verifyApiKey(key)
times.push(performance.now())
await addon.createApiKey({ name: 'Key', clientId: 'client' })
times.push(performance.now())
if (!valid) throw new Error('The key was refused')

const [start, verified, created] = times
process.send({ verify: (verified - start) / 1000, create: (created - verified) / 1000 })
await addon.close()
process.disconnect()
