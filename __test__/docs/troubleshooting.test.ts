import { expect, test } from 'vitest'
import { read } from './markdown.js'
import { messages, messagesOfRust, messagesOfScript, type Message } from './messages.js'

// `docs/troubleshooting.md` has an entry for every text that says that something is wrong. The title of an entry is the text
// itself, in bold code: **`The database is unavailable`**. `…` stands for what is filled in.

/** Texts that are no message of their own, and why. */
const NO_MESSAGE: Record<string, string> = {
  'API key': 'the subject of "… not found"',
  'Admin token': 'the subject of "… not found"',
  'admin token': 'what doctor counts',
  'active admin token': 'what doctor counts',
  '… per minute': 'what doctor says of a key',
  'One delivery was': 'the beginning of "… given up after three days"',
  '… deliveries were': 'the beginning of "… given up after three days"',
  'There is no active webhook': 'a finding that is ok',
  'There is one active webhook': 'a finding that is ok',
  'There are … active webhooks': 'a finding that is ok',
  'sophra-api-keys seal id v1': 'sets a key apart from others',
  'sophra-api-keys seal v1': 'sets a key apart from others',
  'sophra-api-keys seal of a secret v1': 'sets a key apart from others',
  'webhooks set': 'a command',
  'roles set': 'a command',
  ', and … more': 'the end of "Keys or roles have scopes …"',
  'the environment': 'where doctor found signing keys',
  'the database': 'where doctor found signing keys',
  'and … more': 'the end of a list',
  'or more': 'the end of a number',
  'a value that cannot be converted to text': 'what a listener threw',
  'only options': 'what a command expects',
  'the statement failed': 'the cause of an error, which is not shown',
  'no connection could be made': 'the cause of an error, which is not shown',
  'an earlier attempt took effect': 'the cause of an error, which is not shown',
  'jsonb of another version': 'the cause of an error, which is not shown',
  'read committed': 'a setting of the sessions',
  'sophra-api-keys cold digest v1': 'sets a key apart from others',
  'sophra-api-keys cold digest pepper v1': 'sets a key apart from others',
  'sophra-api-keys cold digest pepper id v1': 'sets a key apart from others',
  'Have a new signing key first in API_KEYS_SIGNING_KEYS, and drop the old ones when no key in use was signed with them':
    'a remedy',
  'set API_KEYS_SIGNING_KEYS, or a JWT_SECRET of at least 32 bytes':
    'the end of "warmUp() has loaded nothing …"',
  'coldDigest is off': 'the end of "warmUp() has loaded nothing …"',
  'must not be empty': 'the end of "… has a wrong value: it …"',
  'Set JWT_SECRET (at least 32 bytes), or move the signing key to API_KEYS_SIGNING_KEYS':
    'a remedy',
  'text/csv; charset=utf-8; header=present': 'a header',
  'attachment; filename="….csv"': 'a header',
  'text/css; charset=utf-8': 'a header',
  'text/html; charset=utf-8': 'a header',
  'text/javascript; charset=utf-8': 'a header',
  'public, max-age=31536000, immutable': 'a header',
  'Path=/; HttpOnly; Secure; SameSite=Strict': 'a header',
  "default-src 'none'": 'a header',
  "script-src 'self'": 'a header',
  "style-src 'self'": 'a header',
  "img-src 'self' data:": 'a header',
  "font-src 'self'": 'a header',
  "connect-src 'self'": 'a header',
  "base-uri 'self'": 'a header',
  "form-action 'none'": 'a header',
  "frame-ancestors 'none'": 'a header',
  '<base href="…"': 'an element',
  'Invalid input: url …': 'the beginning of "must be the address of the console …"',
  '@sophra/api-keys: stores usage': 'the name of a symbol',
  'public, max-age=…': 'a header',
  'Bearer realm="API"': 'a header',
  'Signature realm="GitHub secret scanning"': 'a header',
  'Session realm="API keys"': 'a header',
  'AdminToken realm="API", header="x-admin-token"': 'a header',
  'npx @sophra/api-keys migrate': 'a remedy',
  'use sslmode=verify-full instead': 'a remedy',
  'use sslcert and sslkey, with PEM files': 'a remedy',
  'remove it, or connect over TLS': 'a remedy',
  'remove it, and let the server set its ssl_min_protocol_version': 'a remedy',
  'does not check the certificate': 'the middle of "demands more with …"',
  'does not demand encryption': 'the middle of "demands more with …"',
  'turns encryption off': 'the middle of "demands more with …"',
  'Add pgbouncer=true to the query string of DATABASE_URL, and set DIRECT_DATABASE_URL to the address of the server itself':
    'a remedy',
  'There is an "ApiKey" in …: name that schema in DATABASE_URL (?schema=…), …': 'a remedy',
  'or use a database of its own: a database holds the keys of one schema': 'a remedy',
  'or create new tables: …': 'a remedy',
  'Add the columns to the Prisma model, so that they are not dropped again. Their contents exist only in a backup.':
    'a remedy',
  'Restore the columns of the original table.': 'a remedy',
  'Run the statements below, then': 'a remedy',
  'Synchronise both with a time server: each process checks expiry by its own clock': 'a remedy',
}

const titles = [...read('docs/troubleshooting.md').matchAll(/\*\*(`+) ?(.+?) ?\1\*\*/g)].map(
  ([, , title]) => title!,
)

/** Whether a title has all that is fixed in a text, in the same order. */
function isAbout(title: string, text: string): boolean {
  let at = 0
  return text
    .split('…')
    .map((part) => part.trim())
    .every((part) => {
      const found = title.indexOf(part, at)
      at = found + part.length
      return found >= 0
    })
}

const missing = (found: Message[]): string[] =>
  found
    .filter(({ text }) => !(text in NO_MESSAGE) && !titles.some((title) => isAbout(title, text)))
    .map(({ file, line, text }) => `${file}:${line}: ${text}`)

test('every text of the code has an entry', () => {
  const found = messages()
  expect(found.length).toBeGreaterThan(200)
  expect(missing(found)).toEqual([])
})

test('every entry is about a text of the code', () => {
  const texts = messages().map(({ text }) => text)
  expect(titles.filter((title) => !texts.some((text) => isAbout(title, text)))).toEqual([])
  expect(Object.keys(NO_MESSAGE).filter((text) => !texts.includes(text))).toEqual([])
})

test('a text without an entry is noticed, wherever it is', () => {
  const rust = String.raw`
    #[error("The moon is {phase}")]
    fn planted() -> Result<(), Error> {
        // "A comment is no text"
        findings.ok("moon", "The moon is round");
        findings.problem("moon", format!("The moon lacks \"{part}\" \
            entirely"), "Wait for a while");
        sqlx::query!("SELECT the moon FROM the sky");
        reader.fail_option("moon", "must be made of cheese");
        Err(Error::Internal("The moon is gone".into()))
    }
    #[cfg(test)]
    mod tests { const TEXT: &str = "A text of a test"; }`
  expect(missing(messagesOfRust('planted.rs', rust))).toEqual([
    'planted.rs:2: The moon is …',
    'planted.rs:6: The moon lacks "…" entirely',
    'planted.rs:9: must be made of cheese',
    'planted.rs:10: The moon is gone',
  ])

  const script = "'use strict'\nthrow new ApiKeyError({ message: `The moon ${is} gone` })"
  expect(missing(messagesOfScript('planted.js', script))).toEqual(['planted.js:2: The moon … gone'])
  const command =
    "const help = 'Shows the moon'\nfail('--moon is too high')\nconst number = { rule: 'must be low, not high' }"
  expect(missing(messagesOfScript('cli/planted.js', command))).toEqual([
    'cli/planted.js:2: --moon is too high',
    'cli/planted.js:3: must be low, not high',
  ])
})
