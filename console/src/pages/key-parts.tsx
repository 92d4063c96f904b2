// What the page of a key says of it.

import { useState } from 'preact/hooks'
import { request } from '../api.ts'
import { keyChanged } from '../changes.ts'
import { counted, formatDuration, shellQuoted } from '../format.ts'
import { may, useSession } from '../session.ts'
import type { Key, Verified } from '../types.ts'
import { Badge } from '../ui/badge.tsx'
import { Button, copyText, IconButton } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { Gauge } from '../ui/gauge.tsx'
import { Icon } from '../ui/icons.tsx'
import { Section } from '../ui/layout.tsx'
import { ErrorNote, Note } from '../ui/states.tsx'
import { Fact, MetadataFact, Mono, Num, Text, Time } from '../ui/text.tsx'
import { tell } from '../ui/toast.tsx'
import { outcomeText } from '../usage.ts'
import { reasonText } from './reason.tsx'
import type { Failed } from '../api.ts'

/** Why the key is not accepted, if it is not. */
export function KeyState({ apiKey }: { apiKey: Key }) {
  const { status, revokedAt, revokedBy, revokedReason, suspendedUntil, expiresAt } = apiKey
  if (status === 'revoked')
    return (
      <Note tone="problem">
        <strong>Revoked</strong> <Time at={revokedAt} />
        {revokedBy && (
          <>
            {' '}
            by <Text>{revokedBy}</Text>
          </>
        )}
        . Reason: <strong>{reasonText(revokedReason ?? 'unspecified')}</strong>.
        {revokedReason === 'compromised' && ' It cannot be restored.'}
      </Note>
    )
  if (status === 'disabled')
    return (
      <Note tone="warning">
        <strong>Suspended by hand.</strong> Requests with this key are refused until the suspension
        is lifted.
      </Note>
    )
  if (status === 'suspended')
    return (
      <Note tone="warning">
        <strong>Suspended</strong> until <Time at={suspendedUntil} />, because it went over a limit.
      </Note>
    )
  if (status === 'expired')
    return (
      <Note tone="info">
        <strong>Expired</strong>{' '}
        {expiresAt && new Date(expiresAt) <= new Date() ? (
          <Time at={expiresAt} />
        ) : (
          'for want of use'
        )}
        . Edit it to give it more time.
      </Note>
    )
  return null
}

/** How far clients have changed over to the new key, while the old one is still accepted. */
export function Rotation({ apiKey }: { apiKey: Key }) {
  const { id, previousKeyExpiresAt, previousKeyLastUsedAt, currentKeyFirstUsedAt } = apiKey
  if (!previousKeyExpiresAt || new Date(previousKeyExpiresAt) <= new Date()) return null
  const end = async () => {
    try {
      await request('PATCH', 'keys', { body: { id, previousKeyExpiresAt: null } })
      tell('The old key is refused from now on')
    } catch (error) {
      tell((error as Error).message, true)
    }
    keyChanged(id)
  }
  const oldIsQuiet = currentKeyFirstUsedAt !== null && !isRecent(previousKeyLastUsedAt)
  return (
    <Section title="Rotation under way" hint="Two keys are accepted until the grace period ends.">
      <ol class="steps">
        <Step done>The new key was made</Step>
        <Step done={currentKeyFirstUsedAt !== null}>
          {currentKeyFirstUsedAt ? (
            <>
              The new key was first used <Time at={currentKeyFirstUsedAt} ago />
            </>
          ) : (
            'The new key was not used yet'
          )}
        </Step>
        <Step done={oldIsQuiet}>
          {previousKeyLastUsedAt ? (
            <>
              The old key was last used <Time at={previousKeyLastUsedAt} ago />
            </>
          ) : (
            'The old key was not used since'
          )}
        </Step>
        <Step done={false}>
          The grace period ends <Time at={previousKeyExpiresAt} ago />
        </Step>
      </ol>
      {may('keys:write') && (
        <p style={{ marginTop: '14px' }}>
          <Button small onClick={end}>
            End the grace period now
          </Button>
        </p>
      )}
    </Section>
  )
}

const HOUR = 3_600_000
const isRecent = (at: string | null) => at !== null && Date.now() - Date.parse(at) < HOUR

function Step({ done, children }: { done: boolean; children: preact.ComponentChildren }) {
  return (
    <li>
      <span class={done ? 'step-mark done' : 'step-mark'}>
        <Icon name="check" size={12} />
      </span>
      <span>
        {children}
        <span class="for-readers">{done ? ' (done)' : ' (open)'}</span>
      </span>
    </li>
  )
}

export function KeyFacts({ apiKey }: { apiKey: Key }) {
  const { metadata, origins, allowedIps } = apiKey
  return (
    <Section title="Details">
      <dl>
        {apiKey.description && (
          <Fact term="Description">
            <Text>{apiKey.description}</Text>
          </Fact>
        )}
        <Fact term="Begins with">{apiKey.start ? <Mono>{apiKey.start}</Mono> : 'Not known'}</Fact>
        <Fact term="Kind">
          <Text>{apiKey.kind}</Text> · {apiKey.environment}
        </Fact>
        <Fact term="Scopes">
          <Tags texts={apiKey.scopes} none="None" />
        </Fact>
        {apiKey.roles.length > 0 && (
          <Fact term="Roles">
            <Tags texts={apiKey.roles} none="None" />
          </Fact>
        )}
        <Fact term="Addresses">
          <Tags texts={allowedIps} none="Accepted from everywhere" />
        </Fact>
        {apiKey.kind === 'publishable' && (
          <Fact term="Origins">
            {origins ? <Tags texts={origins} none="No browser" /> : 'Any origin'}
          </Fact>
        )}
        <Fact term="Expires">
          <Time at={apiKey.expiresAt} none="Never" />
          {apiKey.maxIdleDays !== null && (
            <div class="hint">or after {counted(apiKey.maxIdleDays, 'day')} without use</div>
          )}
        </Fact>
        <Fact term="Last used">
          <Time at={apiKey.lastUsedAt} ago none="Never" />
          {apiKey.lastUsedIp && (
            <div class="hint">
              from <Mono>{apiKey.lastUsedIp}</Mono>
            </div>
          )}
        </Fact>
        <Fact term="Uses">
          <Num value={apiKey.usageCount} />
        </Fact>
        <Fact term="Created">
          <Time at={apiKey.createdAt} />
          {apiKey.createdBy && (
            <div class="hint">
              by <Text>{apiKey.createdBy}</Text>
            </div>
          )}
        </Fact>
        <Fact term="Changed">
          <Time at={apiKey.updatedAt} />
        </Fact>
        <MetadataFact metadata={metadata} />
      </dl>
    </Section>
  )
}

export function Tags({ texts, none }: { texts: readonly string[]; none: string }) {
  const [all, setAll] = useState(false)
  if (texts.length === 0) return <span class="muted">{none}</span>
  const shown = all ? texts : texts.slice(0, MOST_TAGS)
  return (
    <div class="tags">
      {shown.map((text) => (
        <bdi key={text} class="tag">
          {text}
        </bdi>
      ))}
      {texts.length > shown.length && (
        <button type="button" class="link-button" onClick={() => setAll(true)}>
          {counted(texts.length - shown.length, 'more')}
        </button>
      )}
    </div>
  )
}

const MOST_TAGS = 12

/** A command that uses the key, and a look at what the server says of one, without using it. */
export function TryIt({ apiKey }: { apiKey: Key }) {
  const command = `curl ${shellQuoted(location.origin)} \\\n  -H "x-api-key: $API_KEY"`
  const begins = apiKey.start ? ` Put the key that begins with ${apiKey.start} into API_KEY.` : ''
  const copy = async () => {
    const done = await copyText(command)
    tell(done ? 'The command is on the clipboard' : 'Select the text instead', !done)
  }
  return (
    <Section title="Try it" hint={`With a route of your API as the address.${begins}`}>
      <div class="command">
        <pre>
          <code>{command}</code>
        </pre>
        <IconButton icon="copy" label="Put the command on the clipboard" onClick={copy} />
      </div>
      <CheckKey apiKey={apiKey} />
    </Section>
  )
}

function CheckKey({ apiKey }: { apiKey: Key }) {
  const [text, setText] = useState('')
  const [answer, setAnswer] = useState<Verified>()
  const [error, setError] = useState<Failed>()
  const { name } = useSession()
  const check = async (event: Event) => {
    event.preventDefault()
    if (text.trim() === '') return
    setAnswer(undefined)
    setError(undefined)
    try {
      setAnswer(await request<Verified>('POST', 'keys/verify', { body: { key: text.trim() } }))
    } catch (failed) {
      setError(failed as Failed)
    }
    setText('')
  }
  if (name === '') return null
  return (
    <form onSubmit={check} style={{ marginTop: '14px' }}>
      <div class="inline-form">
        <TextField
          label="Check a plaintext"
          type="password"
          placeholder={apiKey.start ? `${apiKey.start}…` : undefined}
          value={text}
          onChange={setText}
        />
        <Button type="submit">Check</Button>
      </div>
      <p class="hint">
        Says whether it would be accepted, and what is left. It is no use of the key.
      </p>
      {error && <ErrorNote error={error} />}
      {answer && (
        <div role="status" style={{ marginTop: '10px' }}>
          <Badge tone={answer.valid ? 'good' : 'bad'}>
            {answer.valid ? 'Would be accepted' : `Would be refused: ${outcomeText(answer.code)}`}
          </Badge>
          {answer.keyId && answer.keyId !== apiKey.id && <p class="hint">It is another key.</p>}
          {(answer.limits ?? []).map(({ level, name, limit, remaining }) => (
            <Gauge
              key={level + name}
              label={`${name} (${level})`}
              used={limit - remaining}
              of={limit}
            />
          ))}
        </div>
      )}
    </form>
  )
}

/** `100 per minute` */
export const perWindow = (limit: number, seconds: number | null): string =>
  `${counted(limit, 'unit')} per ${seconds === null ? 'window' : formatDuration(seconds).replace(/^1 /, '')}`
