'use strict'

// The fields of an API key. The routes of `/api/keys`, the dates of answers and events, and the command line all read this
// table, so a plain new field needs one row here. The rows are in the order of `keys show`.
//
// Each row has:
//   name      the field of `ApiKey`
//   type      text, boolean, number, duration (in seconds), date, list (of texts), origins, environment, json (an object), limits,
//             quotas, status or reason (of a revocation)
//   access    initial: callers may set it when they create the key, and nobody can change it later; settable: callers may
//             set it; clearable: PATCH may set it to null; readOnly: nobody may set it; identity: it selects the key, and
//             nobody may change it
//   required  true if a key cannot be created without it; such a field cannot be cleared
//
// For the command line, all of it optional:
//   option    the option that sets the field; without one, no option does
//   value     the placeholder of its value in the help, if that of the type is too general
//   help      the help text of the option
//   clear     the word by which `keys update --clear` names a clearable field; a settable field has the name of its option
//   label     the heading in `keys show`; without one, the field has no line of its own
//   empty     what `keys show` prints for null and for an empty list
//   hideEmpty true if `keys show` leaves the line out for null

const fields = [
  { name: 'id', type: 'text', access: 'identity', label: 'id' },
  {
    name: 'name',
    type: 'text',
    access: 'settable',
    required: true,
    option: 'name',
    help: 'A name by which people recognise the key',
    label: 'name',
  },
  {
    name: 'clientId',
    type: 'text',
    access: 'settable',
    required: true,
    option: 'client',
    value: '<id>',
    help: 'The client that the key identifies',
    label: 'client',
  },
  { name: 'status', type: 'status', access: 'readOnly', label: 'status' },
  { name: 'isActive', type: 'boolean', access: 'settable' },
  { name: 'start', type: 'text', access: 'readOnly', label: 'begins with' },
  {
    name: 'kind',
    type: 'text',
    access: 'initial',
    option: 'kind',
    value: '<name>',
    help: 'One of the configured kinds of keys',
    label: 'kind',
  },
  {
    name: 'environment',
    type: 'environment',
    access: 'initial',
    option: 'environment',
    value: '<name>',
    help: 'live or test',
    label: 'environment',
  },
  {
    name: 'description',
    type: 'text',
    access: 'settable',
    option: 'description',
    help: 'A note',
    label: 'description',
  },
  {
    name: 'expiresAt',
    type: 'date',
    access: 'settable',
    option: 'expires',
    help: 'The instant at which it expires: 30d from now, or 2027-01-31T12:00:00Z',
    label: 'expires',
    empty: 'never',
  },
  {
    name: 'maxIdleDays',
    type: 'number',
    access: 'settable',
    option: 'max-idle-days',
    help: 'Days without use after which it expires, 1 to 3,650',
    label: 'expires unused',
    hideEmpty: true,
  },
  {
    name: 'rateLimit',
    type: 'number',
    access: 'settable',
    option: 'rate-limit',
    help: 'Requests per window, 1 to 1,000,000',
    label: 'rate limit',
  },
  {
    name: 'rateLimitWindowSeconds',
    type: 'duration',
    access: 'settable',
    option: 'window',
    help: 'The window of the rate limit: 60, 15m, 1h; at most a day',
  },
  {
    name: 'limits',
    type: 'limits',
    access: 'settable',
    option: 'limits',
    help: 'Further limits: [{"name": "tokens", "limit": 1000, "windowSeconds": 60}]',
    label: 'further limits',
  },
  {
    name: 'quotas',
    type: 'quotas',
    access: 'settable',
    option: 'quotas',
    help: 'Quotas: [{"name": "tokens", "amount": 100000, "period": "month"}]',
    label: 'quotas',
  },
  {
    name: 'allowedIps',
    type: 'list',
    access: 'settable',
    option: 'allow',
    value: '<ip>',
    help: 'An address or network that may use the key',
    label: 'allowed from',
    empty: 'everywhere',
  },
  {
    name: 'origins',
    type: 'origins',
    access: 'settable',
    option: 'origin',
    value: '<origin>',
    help: 'An origin whose pages may use the publishable key, e.g. https://app.example.com',
    label: 'used by pages of',
    hideEmpty: true,
  },
  {
    name: 'scopes',
    type: 'list',
    access: 'settable',
    option: 'scope',
    value: '<scope>',
    help: 'A scope that the key holds, e.g. docs:read or docs:*',
    label: 'scopes',
  },
  {
    name: 'roles',
    type: 'list',
    access: 'settable',
    option: 'role',
    value: '<name>',
    help: 'A role whose scopes the key holds too',
    label: 'roles',
  },
  {
    name: 'metadata',
    type: 'json',
    access: 'settable',
    option: 'metadata',
    help: "A JSON object with the app's own data",
    label: 'metadata',
  },
  { name: 'usageCount', type: 'number', access: 'readOnly', label: 'used' },
  { name: 'lastUsedAt', type: 'date', access: 'readOnly', label: 'last used', empty: 'never' },
  {
    name: 'lastUsedIp',
    type: 'text',
    access: 'readOnly',
    label: 'last used from',
    hideEmpty: true,
  },
  {
    name: 'currentKeyFirstUsedAt',
    type: 'date',
    access: 'readOnly',
    label: 'first used',
    hideEmpty: true,
  },
  {
    name: 'createdBy',
    type: 'text',
    access: 'readOnly',
    label: 'created by',
  },
  { name: 'createdAt', type: 'date', access: 'readOnly', label: 'created' },
  { name: 'updatedAt', type: 'date', access: 'readOnly', label: 'changed' },
  {
    name: 'suspendedUntil',
    type: 'date',
    access: 'clearable',
    clear: 'suspension',
    label: 'suspended until',
    hideEmpty: true,
  },
  {
    name: 'previousKeyExpiresAt',
    type: 'date',
    access: 'clearable',
    clear: 'previous-key',
    label: 'old key valid until',
    hideEmpty: true,
  },
  {
    name: 'previousKeyLastUsedAt',
    type: 'date',
    access: 'readOnly',
    label: 'old key last used',
    hideEmpty: true,
  },
  { name: 'revokedAt', type: 'date', access: 'readOnly', label: 'revoked', hideEmpty: true },
  { name: 'revokedBy', type: 'text', access: 'readOnly', label: 'revoked by', hideEmpty: true },
  {
    name: 'revokedReason',
    type: 'reason',
    access: 'readOnly',
    label: 'revoked for',
    hideEmpty: true,
  },
]

const namesOf = (choose) => fields.filter(choose).map(({ name }) => name)

module.exports = {
  fields,
  dates: namesOf(({ type }) => type === 'date'),
  initial: namesOf(({ access }) => access === 'initial'),
  settable: namesOf(({ access }) => access === 'settable'),
  clearable: namesOf(({ access }) => access === 'clearable'),
  readOnly: namesOf(({ access }) => access === 'readOnly'),
  identity: namesOf(({ access }) => access === 'identity'),
}
