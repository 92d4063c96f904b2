import { expect, test } from 'vitest'
import { blocksOf } from '../docs/markdown.js'
import { addon } from '../support/addon.js'
import { digestOf, useImporting } from '../support/importing.js'

// Items in CSV, as a spreadsheet or another database writes it.

const { run, counts } = useImporting()
const { getApiKey, getQuota, verifyApiKey } = addon

const from = ['--from', 'csv']
const key = (number: number) => `a-key-of-a-table-${number}`
const NAMES = 'clientId,name,hash.algorithm,hash.encoding,hash.value'
const line = (number: number, name = `Key ${number}`) =>
  `acme,${name},sha256,hex,${digestOf(key(number))}`
const messages = ({ failed }: { failed: { line: number; message: string }[] }) =>
  failed.map(({ line, message }) => `${line}: ${message}`)

test('the table of the documentation is imported', async () => {
  const { text } = blocksOf('docs/guides/importing-keys.md').find(
    ({ language }) => language === 'csv',
  )!
  expect(await counts(from, text)).toMatchObject({ imported: 1, failedCount: 0 })
  expect(await verifyApiKey('an-old-key-of-another-program')).toMatchObject({
    ...{ valid: true, clientId: 'acme', name: 'Shop, new' },
    scopes: ['orders:read', 'orders:write'],
  })
})

test('each column becomes a field, in the types that items have', async () => {
  const names =
    '"id",key,clientId,name,description,isActive,expiresAt,rateLimit,rateLimitWindowSeconds,limits,quotas,' +
    'allowedIps,scopes,metadata,createdAt,usageCount,maxIdleDays'
  const fields =
    `of-csv,${key(1)},acme,"Shop, ""new""\r\nsecond line",,TRUE,2100-01-31 12:00:00,10,3600,` +
    `"[{""name"":""tokens"",""limit"":5,""windowSeconds"":60}]","[{""name"":""calls"",""amount"":7,""period"":""day""}]",` +
    `"10.0.0.0/8, 192.0.2.1","[""docs:read"",""docs:write""]","{""plan"":""a,b""}",2024-05-06T07:08:09+02:00,12,3650`
  const described = fields.replace(
    '"Shop, ""new""\r\nsecond line",',
    'Shop,"two ""lines""\nof text"',
  )
  const answer = await counts([...from], `\ufeff${names}\r\n${described}\r\n\r\n`)
  expect(answer).toEqual({ imported: 1, skipped: 0, failedCount: 0, failed: [] })
  expect(await getApiKey('of-csv')).toMatchObject({
    ...{ name: 'Shop', clientId: 'acme', description: 'two "lines"\nof text', isActive: true },
    ...{ rateLimit: 10, rateLimitWindowSeconds: 3_600, usageCount: 12, maxIdleDays: 3_650 },
    ...{ allowedIps: ['10.0.0.0/8', '192.0.2.1'], scopes: ['docs:read', 'docs:write'] },
    limits: [{ name: 'tokens', limit: 5, windowSeconds: 60 }],
    metadata: { plan: 'a,b' },
    expiresAt: new Date('2100-01-31T12:00:00Z'),
    createdAt: new Date('2024-05-06T05:08:09Z'),
  })
  expect(await getQuota({ keyId: 'of-csv', name: 'calls' })).toMatchObject({ amount: 7 })
  expect(await verifyApiKey(key(1), { ip: '10.1.2.3' })).toMatchObject({ valid: true })
})

test('a hash is written out in columns of its own, and --client is the client of lines without one', async () => {
  const names =
    'name,clientId,prefix,hash.algorithm,hash.encoding,hash.value,hash.part.separator,hash.part.hashed,hash.part.before'
  const secret = (number: number) => `the-secret-of-a-table-${number}`
  const hash = (number: number) =>
    `sha512,base64,${digestOf(secret(number), 'base64', 'sha512')},.,after,row`
  const lines = [`One,,p1,${hash(1)}`, `Two,globex,p2,${hash(2)}`]
  const answer = await run([...from, '--client', 'acme', '-'], [names, ...lines].join('\n'))
  expect(answer).toMatchObject({ code: 0, stdout: 'Imported: 2\nSkipped: 0\nFailed: 0\n' })
  expect(await verifyApiKey(`p1.${secret(1)}`)).toMatchObject({ valid: true, clientId: 'acme' })
  expect(await verifyApiKey(`p2.${secret(2)}`)).toMatchObject({ valid: true, clientId: 'globex' })
})

test('lines that cannot be read are named one by one, and stop no other', async () => {
  const lines = [
    NAMES,
    line(1),
    line(2, 'a 5" screen'),
    line(3),
    'acme,too few',
    `${line(4)},too many`,
    line(5, '"quoted"x'),
    line(6, `"over\ntwo lines, and ${'x'.repeat(10)}"`),
    '',
    line(7).replace('acme', ''),
    line(8, 'x'.repeat(300_000)),
    line(9, '"x'),
    line(10),
  ]
  const answer = await counts(from, lines.join('\n'))
  expect(messages(answer)).toEqual([
    '3: has a quote within a field that is not quoted as a whole',
    '5: has 2 fields, and 5 columns were named',
    '6: has 6 fields, and 5 columns were named',
    '7: has a quote within a field that is not quoted as a whole',
    '12: is too long',
    '13: has a quote that is not closed',
    expect.stringMatching(/^8: name /),
    expect.stringMatching(/^11: clientId is required/),
  ])
  expect(answer.imported).toBe(3)
  for (const number of [1, 3, 10])
    expect(await verifyApiKey(key(number))).toMatchObject({ valid: true })
})

test('a quote that is never closed hides no line after it', async () => {
  const count = 6_000
  const lines = Array.from({ length: count }, (_, number) => line(number))
  lines[1] = line(1, '"open')
  const answer = await counts([...from, '--dry-run'], [NAMES, ...lines].join('\n'))
  expect(messages(answer)).toEqual(['3: has a quote that is not closed'])
  expect(answer.imported).toBe(count - 1)
})

test('bytes that are no text are refused, and not replaced', async () => {
  const latin = Buffer.from(`${NAMES}\n${line(1, 'Müller')}\n${line(2)}\n`, 'latin1')
  const { stdout, stderr } = await run(from, latin)
  expect(stdout).toBe('Imported: 1\nSkipped: 0\nFailed: 1\n')
  expect(stderr).toBe('error: line 2: is not UTF-8\n')
})

test('the first line must name the columns, and is not shown', async () => {
  for (const [input, message] of [
    [`acme,Key,${key(1)}`, 'field 1 of it names none'],
    [NAMES.replaceAll(',', ';'), 'field 1 of it names none'],
    ['name,__proto__', 'field 2 of it names none'],
    ['name,constructor', 'field 2 of it names none'],
    ['name,stored', 'field 2 of it names none'],
    ['name,name', 'it names one twice'],
    ['"name', 'it has a quote that is not closed'],
  ]) {
    const { code, stderr } = await run(from, input)
    expect(stderr).toContain(`The first line must name the columns: ${message}`)
    expect(stderr).not.toContain(key(1))
    expect(code).toBe(2)
  }
})

test('values of the wrong type fail by the names of their fields', async () => {
  const names = 'name,clientId,key,isActive,rateLimit,metadata,expiresAt'
  const values = ['yes,,,', ',ten,,', ',,{no,', ',,,tomorrow']
  const lines = values.map((value, number) => `n,acme,${key(number)},${value}`)
  const { failed } = await counts(from, [names, ...lines].join('\n'))
  expect(failed).toEqual([
    { line: 4, message: 'metadata has JSON that cannot be read' },
    { line: 5, message: 'expiresAt has an instant that cannot be read' },
    { line: 2, message: expect.stringMatching(/^isActive must be/) },
    { line: 3, message: expect.stringMatching(/^rateLimit must be/) },
  ])
})

test('an instant is read as it is written, or not at all', async () => {
  const written = [
    ...['2100-01-31', '2100-01-31 12:00', '2100-01-31T12:00:00Z', '2100-01-31 12:00:00.123456+00'],
    ...['2100-01-31T12:00:00+0200', '2100-01-31 12:00:00 UTC', '2100-01-31t12:00:00+02:00'],
  ]
  // What the engine would take for another day: of another order, of the year 2001, of the next month.
  const others = [
    '01/02/2100',
    '05.06.2100',
    '10',
    'of 12',
    'Mar 1',
    '2100',
    '2100-02-31',
    '2100-1-31',
  ]
  const lines = [...written, ...others].map(
    (text, number) => `n,acme,${key(number)},i${number},${text}`,
  )
  const { imported, failed } = await counts(
    from,
    ['name,clientId,key,id,expiresAt', ...lines].join('\n'),
  )
  expect(failed).toEqual(
    others.map((_, number) => ({
      line: 2 + written.length + number,
      message: 'expiresAt has an instant that cannot be read',
    })),
  )
  expect(imported).toBe(written.length)
  const read = await Promise.all(written.map((_, number) => getApiKey(`i${number}`)))
  const day = '2100-01-31T'
  expect(read.map((one) => one!.expiresAt!.toISOString())).toEqual([
    ...[`${day}00:00:00.000Z`, `${day}12:00:00.000Z`, `${day}12:00:00.000Z`, `${day}12:00:00.123Z`],
    ...[`${day}10:00:00.000Z`, `${day}12:00:00.000Z`, `${day}10:00:00.000Z`],
  ])
})
