'use strict'

const { notFound } = require('../not-found.js')

/** The client with this id. */
exports.clientOf = async (addon, id) => {
  const client = await addon.getClient(id)
  if (!client) throw notFound('Client')
  return client
}
