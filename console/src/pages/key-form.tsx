// The form of a key, for a new one and for one that is changed.

import { useId } from 'preact/hooks'
import { request } from '../api.ts'
import { useData } from '../data.ts'
import { inWords } from '../format.ts'
import { PUBLISHABLE, type KeyDraft } from '../key-draft.ts'
import { may, useSession } from '../session.ts'
import type { ClientRow, Role } from '../types.ts'
import { Check, Group, SelectField, TextArea, TextField, type Choice } from '../ui/field.tsx'
import { Section } from '../ui/layout.tsx'
import { LimitRows, QuotaRows } from './rule-rows.tsx'

interface KeyFormProps {
  draft: KeyDraft
  set(fields: Partial<KeyDraft>): void
  problems: Record<string, string>
  isNew: boolean
}

export function KeyForm(props: KeyFormProps) {
  return (
    <>
      <Basics {...props} />
      <Scopes {...props} />
      <Life {...props} />
      <Access {...props} />
      <Rules {...props} />
      <More {...props} />
    </>
  )
}

function Basics({ draft, set, problems, isNew }: KeyFormProps) {
  const { kinds, environments } = useSession()
  const kindChoices = Object.keys(kinds ?? {}).map((kind): Choice => [kind, kind])
  return (
    <Section title="Key">
      <div class="fields">
        <TextField
          label="Name"
          value={draft.name}
          maxLength={255}
          required
          problem={problems.name}
          onChange={(name) => set({ name })}
        />
        <ClientField draft={draft} set={set} problem={problems.clientId} />
        {isNew && kindChoices.length > 1 && (
          <SelectField
            label="Kind"
            value={draft.kind || kindChoices[0]![0]}
            choices={kindChoices}
            hint="It is part of the key, and stays."
            problem={problems.kind}
            onChange={(kind) => set({ kind })}
          />
        )}
        {isNew && environments.length > 1 && (
          <SelectField
            label="Environment"
            value={draft.environment || environments[0]!}
            choices={environments.map((name): Choice => [name, inWords(name)])}
            hint="It is part of the key, and stays."
            problem={problems.environment}
            onChange={(environment) => set({ environment })}
          />
        )}
        <div class="wide">
          <TextArea
            label="Description"
            rows={2}
            value={draft.description}
            problem={problems.description}
            onChange={(description) => set({ description })}
          />
        </div>
      </div>
    </Section>
  )
}

function ClientField(props: { draft: KeyDraft; set: KeyFormProps['set']; problem?: string }) {
  const { draft, set, problem } = props
  const listId = useId()
  const typed = draft.clientId.trim()
  const search = [...typed].length >= 3 ? typed : undefined
  const clients = useData(
    may('clients:read') ? `clients?suggest=${search ?? ''}` : null,
    (signal) => request<ClientRow[]>('GET', 'clients', { query: { search, limit: 20 }, signal }),
    { keepsPrevious: true },
  )
  return (
    <>
      <TextField
        label="Client ID"
        value={draft.clientId}
        maxLength={255}
        required
        list={listId}
        hint="Whom the key identifies: an id of your own."
        problem={problem}
        onChange={(clientId) => set({ clientId })}
      />
      <datalist id={listId}>
        {(clients.data ?? []).map(({ clientId, name }) => (
          <option key={clientId} value={clientId}>
            {name ?? clientId}
          </option>
        ))}
      </datalist>
    </>
  )
}

function Scopes({ draft, set, problems }: KeyFormProps) {
  const { scopes: catalogue } = useSession()
  const roles = useData(may('roles:read') ? 'roles' : null, (signal) =>
    request<Role[]>('GET', 'roles', { signal }),
  )
  const allowed = useSession().kinds?.[draft.kind]?.allowedScopes
  // A scope with a segment that differs is written out below, and so is one with a wildcard.
  const choices = Object.entries(catalogue ?? {}).filter(([scope]) => !scope.includes('{'))
  const patterns = Object.keys(catalogue ?? {}).filter((scope) => scope.includes('{'))
  const toggle = (list: string[], entry: string, isIn: boolean) =>
    isIn ? [...list, entry] : list.filter((other) => other !== entry)
  const pick = (test: (scope: string) => boolean) =>
    set({ scopes: choices.map(([scope]) => scope).filter(test) })
  return (
    <Section
      title="Permissions"
      hint="What the key may do. A route asks for scopes; a key without any passes only routes that ask for none."
    >
      <div class="fields">
        {choices.length > 0 && (
          <Group legend="Scopes">
            <div class="actions" style={{ marginBottom: '8px' }}>
              <button type="button" class="link-button" onClick={() => pick(isReading)}>
                Reading only
              </button>
              <button type="button" class="link-button" onClick={() => pick(() => true)}>
                All
              </button>
              <button type="button" class="link-button" onClick={() => pick(() => false)}>
                None
              </button>
            </div>
            <div class="choices">
              {choices.map(([scope, { label, implies }]) => (
                <Check
                  key={scope}
                  label={label ? <bdi>{label}</bdi> : <code>{scope}</code>}
                  hint={`${label ? scope : ''}${implies?.length ? ` · implies ${implies.join(', ')}` : ''}`}
                  checked={draft.scopes.includes(scope)}
                  onChange={(isIn) => set({ scopes: toggle(draft.scopes, scope, isIn) })}
                />
              ))}
            </div>
          </Group>
        )}
        <div class="wide">
          <TextArea
            label={choices.length > 0 ? 'Other scopes' : 'Scopes'}
            mono
            rows={2}
            placeholder={patterns[0]?.replaceAll(/\{\w+\}/g, '42') ?? 'docs:read'}
            hint={scopeHint(patterns, allowed)}
            value={draft.otherScopes}
            problem={problems.scopes}
            onChange={(otherScopes) => set({ otherScopes })}
          />
        </div>
        {roles.data && roles.data.length > 0 && (
          <Group legend="Roles" hint="The key holds their scopes too.">
            <div class="choices">
              {roles.data.map(({ name: role, scopes }) => (
                <Check
                  key={role}
                  label={<bdi>{role}</bdi>}
                  hint={scopes.slice(0, 6).join(', ')}
                  checked={draft.roles.includes(role)}
                  onChange={(isIn) => set({ roles: toggle(draft.roles, role, isIn) })}
                />
              ))}
            </div>
            {problems.roles && <p class="field-problem">{problems.roles}</p>}
          </Group>
        )}
      </div>
    </Section>
  )
}

const isReading = (scope: string) => /(^|[:.])(read|query|list|get|view)$/.test(scope)

function scopeHint(patterns: string[], allowed: readonly string[] | null | undefined): string {
  const parts = ['One a line. docs:* covers every scope that begins with docs:']
  if (patterns.length > 0) parts.push(`for example of ${patterns.slice(0, 3).join(', ')}`)
  if (allowed) parts.push(`keys of this kind may hold only ${allowed.join(', ')}`)
  return `${parts.join('; ')}.`
}

function Life({ draft, set, problems, isNew }: KeyFormProps) {
  const choices: Choice[] = [
    ...(isNew ? [['default', 'As configured on the server'] as const] : []),
    ['7', 'In 7 days'],
    ['30', 'In 30 days'],
    ['90', 'In 90 days'],
    ['365', 'In a year'],
    ['at', 'At a date'],
    ['never', 'Never'],
  ]
  return (
    <Section title="Life">
      <div class="fields">
        <SelectField
          label="Expires"
          value={draft.expiry}
          choices={choices}
          problem={draft.expiry === 'at' ? undefined : problems.expiresAt}
          onChange={(expiry) => set({ expiry })}
        />
        {draft.expiry === 'at' && (
          <TextField
            label="Date and time"
            type="datetime-local"
            value={draft.expiresAt}
            problem={problems.expiresAt}
            onChange={(expiresAt) => set({ expiresAt })}
          />
        )}
        <TextField
          label="Days without use"
          inputMode="numeric"
          placeholder="No limit"
          hint="After so many, it is refused."
          value={draft.maxIdleDays}
          problem={problems.maxIdleDays}
          onChange={(maxIdleDays) => set({ maxIdleDays })}
        />
      </div>
    </Section>
  )
}

function Access({ draft, set, problems }: KeyFormProps) {
  return (
    <Section title="Where it may be used">
      <div class="fields">
        <div class="wide">
          <TextArea
            label="Addresses"
            mono
            rows={2}
            placeholder={'203.0.113.0/24\n2001:db8::/32'}
            hint="IP addresses and networks, one a line. Empty: everywhere."
            value={draft.allowedIps}
            problem={problems.allowedIps}
            onChange={(allowedIps) => set({ allowedIps })}
          />
        </div>
        {draft.kind === PUBLISHABLE && (
          <>
            <SelectField
              label="Browsers"
              value={draft.originRule}
              choices={[
                ['any', 'Pages of any origin'],
                ['some', 'Pages of these origins'],
                ['none', 'No browser'],
              ]}
              onChange={(originRule) => set({ originRule })}
            />
            {draft.originRule === 'some' && (
              <TextArea
                label="Origins"
                mono
                rows={2}
                placeholder="https://app.example.com"
                hint="One a line. https://*.example.com covers one label."
                value={draft.origins}
                problem={problems.origins}
                onChange={(origins) => set({ origins })}
              />
            )}
          </>
        )}
      </div>
    </Section>
  )
}

const WINDOWS: Choice[] = [
  ['', 'The window of the server'],
  ['1', 'Second'],
  ['60', 'Minute'],
  ['3600', 'Hour'],
  ['86400', 'Day'],
]

function Rules({ draft, set, problems }: KeyFormProps) {
  const current = draft.rateLimitWindowSeconds
  const windows = WINDOWS.some(([value]) => value === current)
    ? WINDOWS
    : [...WINDOWS, [current, `${current} seconds`] as const]
  return (
    <Section title="Limits and quotas">
      <div class="fields">
        <TextField
          label="Rate limit"
          inputMode="numeric"
          placeholder="Unlimited"
          hint="Requests per window."
          value={draft.rateLimit}
          problem={problems.rateLimit}
          onChange={(rateLimit) => set({ rateLimit })}
        />
        <SelectField
          label="Per"
          value={current}
          choices={windows}
          problem={problems.rateLimitWindowSeconds}
          onChange={(rateLimitWindowSeconds) => set({ rateLimitWindowSeconds })}
        />
        <LimitRows
          title="Further limits"
          rows={draft.limits}
          problem={problems.limits}
          onChange={(limits) => set({ limits })}
        />
        <QuotaRows
          rows={draft.quotas}
          problem={problems.quotas}
          onChange={(quotas) => set({ quotas })}
        />
      </div>
    </Section>
  )
}

function More({ draft, set, problems }: KeyFormProps) {
  return (
    <Section title="More">
      <div class="fields">
        <div class="wide">
          <TextArea
            label="Metadata"
            mono
            rows={3}
            placeholder={'{ "team": "search" }'}
            hint="A JSON object of your own. Whoever verifies the key gets it."
            value={draft.metadata}
            problem={problems.metadata}
            onChange={(metadata) => set({ metadata })}
          />
        </div>
        <Check
          label="Enabled"
          hint="A key that is not enabled is refused."
          checked={draft.isActive}
          onChange={(isActive) => set({ isActive })}
        />
      </div>
    </Section>
  )
}
