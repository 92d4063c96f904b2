'use strict'

// The fields of a client. The routes of `/api/clients` and the command line read this table. Its rows are described in
// `key-fields.js`, and are in the order of `clients get`.

const fields = [
  { name: 'clientId', type: 'text', access: 'identity', label: 'id' },
  {
    name: 'name',
    type: 'text',
    access: 'settable',
    option: 'name',
    help: 'A name by which people recognise the client',
    label: 'name',
  },
  { name: 'isActive', type: 'boolean', access: 'settable', label: 'status' },
  {
    name: 'allowedIps',
    type: 'list',
    access: 'settable',
    option: 'allow',
    value: '<ip>',
    help: 'An address or network that may use the keys of the client',
    label: 'allowed from',
    empty: 'everywhere',
  },
  {
    name: 'limits',
    type: 'limits',
    access: 'settable',
    option: 'limits',
    help: 'Limits that its keys share: [{"name": "tokens", "limit": 1000, "windowSeconds": 60}]',
    label: 'limits',
  },
  {
    name: 'quotas',
    type: 'quotas',
    access: 'settable',
    option: 'quotas',
    help: 'Quotas that its keys share: [{"name": "tokens", "amount": 100000, "period": "month"}]',
    label: 'quotas',
  },
  { name: 'keyCount', type: 'number', access: 'readOnly', label: 'keys' },
  {
    name: 'maxKeys',
    type: 'number',
    access: 'settable',
    option: 'max-keys',
    help: 'The most keys that the client may have, 0 to 1,000,000',
    label: 'most keys',
    empty: 'any number',
  },
  {
    name: 'parentId',
    type: 'text',
    access: 'settable',
    option: 'parent',
    value: '<id>',
    help: 'The client whose rules hold for this one too',
    label: 'parent',
  },
  {
    name: 'metadata',
    type: 'json',
    access: 'settable',
    option: 'metadata',
    help: "A JSON object with the app's own data",
    label: 'metadata',
  },
  { name: 'createdAt', type: 'date', access: 'readOnly', label: 'created' },
  { name: 'updatedAt', type: 'date', access: 'readOnly', label: 'changed' },
]

module.exports = {
  fields,
  readOnly: fields.filter(({ access }) => access === 'readOnly').map(({ name }) => name),
}
