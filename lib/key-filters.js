'use strict'

// The fields of `ApiKeyFilter` that have an option on the command line, as rows like those of `key-fields.js`.

const filters = [
  {
    name: 'clientId',
    type: 'text',
    option: 'client',
    value: '<id>',
    help: 'Only the keys of this client',
  },
  {
    name: 'status',
    type: 'text',
    option: 'status',
    value: '<status>',
    help: 'Only keys that are active, expired, revoked, suspended or disabled',
  },
  {
    name: 'createdBy',
    type: 'text',
    option: 'created-by',
    value: '<actor>',
    help: 'Only the keys that this actor created',
  },
  {
    name: 'createdAfter',
    type: 'past',
    option: 'created-after',
    help: 'Only keys that were created then or later: 30d is 30 days ago; or 2027-01-31T12:00:00Z',
  },
  {
    name: 'createdBefore',
    type: 'past',
    option: 'created-before',
    help: 'Only keys that were created earlier',
  },
  {
    name: 'expiresBefore',
    type: 'date',
    option: 'expires-before',
    help: 'Only keys that expire earlier, or have expired: 30d from now, or 2027-01-31T12:00:00Z',
  },
  {
    name: 'unusedSince',
    type: 'past',
    option: 'unused-since',
    help: 'Only keys whose last use was earlier; one that was never used counts from its creation',
  },
  {
    name: 'scope',
    type: 'text',
    option: 'scope',
    value: '<scope>',
    help: 'Only keys that a verify for this scope accepts',
  },
  {
    name: 'metadata',
    type: 'json',
    option: 'metadata',
    help: 'Only keys whose metadata contains this',
  },
  {
    name: 'search',
    type: 'text',
    option: 'search',
    help: 'Only keys with this text in their name or description; at least 3 characters',
  },
]

module.exports = { filters }
