'use strict'

const { health } = require('../../index.js')
const native = require('../addon.js')
const { guarded, unwrap } = require('../errors.js')
const { holds } = require('../next/admin.js')
const { json } = require('../next/responses.js')
const { ask } = require('./ask.js')

/** An examination connects to the database anew and counts rows, so one is shared for a minute. */
const FRESH_MS = 60_000
let examination

/** The state of the app: its health, what `doctor` finds, and, for those who may read them, the quotas of which most is used. */
exports.overview = async (_request, { admin }) => {
  const [state, findings, quotas] = await Promise.all([
    health(),
    examined(),
    holds(admin, 'quotas:read') ? ask('quotas').catch(() => null) : null,
  ])
  return json({ health: state, ...findings, quotas: quotas?.map(quota) ?? null })
}

async function examined(now = performance.now()) {
  if (!examination || now - examination.at > FRESH_MS) {
    const running = guarded(native.doctor, false).then((answer) => ({
      findings: unwrap(answer),
      findingsAt: new Date(),
    }))
    examination = { at: now, running }
    running.catch(() => (examination = undefined))
  }
  return examination.running
}

const quota = ({ owner, ownerId, resetsAt, ...others }) => ({
  [owner === 'key' ? 'keyId' : 'clientId']: ownerId,
  ...others,
  remaining: Math.max(0, others.amount - others.used),
  resetsAt: resetsAt === null ? null : new Date(resetsAt),
})
