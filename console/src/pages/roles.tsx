import { useState } from 'preact/hooks'
import { request } from '../api.ts'
import { changed, useData } from '../data.ts'
import { linesOf } from '../format.ts'
import { may, useSession } from '../session.ts'
import type { Role } from '../types.ts'
import { Button } from '../ui/button.tsx'
import { ActionDialog } from '../ui/dialog.tsx'
import { Check, Group, TextArea, TextField } from '../ui/field.tsx'
import { ActionsHead, Page, Section, Table } from '../ui/layout.tsx'
import { Empty, Load } from '../ui/states.tsx'
import { tell } from '../ui/toast.tsx'
import { Tags } from './key-parts.tsx'

export function Roles() {
  const roles = useData('roles', (signal) => request<Role[]>('GET', 'roles', { signal }), {
    poll: 30_000,
  })
  // What a role holds, its keys hold.
  const writes = may('roles:write') && may('keys:write')
  const [edited, setEdited] = useState<Role | 'new'>()
  const [deleted, setDeleted] = useState<Role>()
  return (
    <Page
      title="Roles"
      name="Roles"
      lead="Named sets of scopes. A key that names a role holds its scopes too, and a change reaches all of its keys."
      actions={
        writes && (
          <Button variant="primary" icon="plus" onClick={() => setEdited('new')}>
            Create role
          </Button>
        )
      }
    >
      <div class="panel">
        <Load from={roles}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty icon="roles" title="There are no roles yet" />
            ) : (
              <Table label="Roles">
                <thead>
                  <tr>
                    <th scope="col">Role</th>
                    <th scope="col">Scopes</th>
                    {may('roles:write') && <ActionsHead />}
                  </tr>
                </thead>
                <tbody>
                  {rows.map((role) => (
                    <tr key={role.name}>
                      <td class="name-cell">
                        <strong class="name-link" title={role.name}>
                          <bdi>{role.name}</bdi>
                        </strong>
                      </td>
                      <td>
                        <Tags texts={role.scopes} none="No scopes" />
                      </td>
                      {may('roles:write') && (
                        <td>
                          <div class="row-actions">
                            {writes && (
                              <Button small variant="ghost" onClick={() => setEdited(role)}>
                                Edit<span class="for-readers"> {role.name}</span>
                              </Button>
                            )}
                            <Button small variant="ghost" onClick={() => setDeleted(role)}>
                              Delete<span class="for-readers"> {role.name}</span>
                            </Button>
                          </div>
                        </td>
                      )}
                    </tr>
                  ))}
                </tbody>
              </Table>
            )
          }
        </Load>
      </div>
      <Catalogue />
      {edited && (
        <EditRole role={edited === 'new' ? null : edited} close={() => setEdited(undefined)} />
      )}
      {deleted && <DeleteRole role={deleted} close={() => setDeleted(undefined)} />}
    </Page>
  )
}

/** Which scopes there are. */
function Catalogue() {
  const { scopes } = useSession()
  if (!scopes || Object.keys(scopes).length === 0) return null
  return (
    <Section title="Catalogue" hint="The scopes that this app has." flush>
      <Table label="Scopes of the catalogue">
        <thead>
          <tr>
            <th scope="col">Scope</th>
            <th scope="col">Meaning</th>
            <th scope="col">Implies</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(scopes).map(([scope, { label, implies }]) => (
            <tr key={scope}>
              <td>
                <code>{scope}</code>
              </td>
              <td>{label ? <bdi>{label}</bdi> : <span class="muted">–</span>}</td>
              <td>
                <Tags texts={implies ?? []} none="–" />
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Section>
  )
}

function EditRole({ role, close }: { role: Role | null; close(): void }) {
  const catalogue = Object.entries(useSession().scopes ?? {}).filter(
    ([scope]) => !scope.includes('{'),
  )
  const isListed = (scope: string) => catalogue.some(([listed]) => listed === scope)
  const [name, setName] = useState(role?.name ?? '')
  const [chosen, setChosen] = useState(role?.scopes.filter(isListed) ?? [])
  const [others, setOthers] = useState(
    role?.scopes.filter((scope) => !isListed(scope)).join('\n') ?? '',
  )
  const save = async () => {
    const body = { name: role?.name ?? name.trim(), scopes: [...chosen, ...linesOf(others)] }
    await request('PUT', 'roles', { body })
    changed('roles', 'audit')
    tell('The role is saved')
    close()
  }
  return (
    <ActionDialog
      title={role ? `Edit ${role.name}` : 'Create a role'}
      action={role ? 'Save role' : 'Create role'}
      ready={name.trim() !== ''}
      wide
      onAction={save}
      onClose={close}
    >
      {!role && <TextField label="Name" maxLength={100} value={name} onChange={setName} />}
      {catalogue.length > 0 && (
        <Group legend="Scopes">
          <div class="choices">
            {catalogue.map(([scope, { label }]) => (
              <Check
                key={scope}
                label={label ? <bdi>{label}</bdi> : <code>{scope}</code>}
                hint={label ? scope : undefined}
                checked={chosen.includes(scope)}
                onChange={(isIn) =>
                  setChosen(isIn ? [...chosen, scope] : chosen.filter((other) => other !== scope))
                }
              />
            ))}
          </div>
        </Group>
      )}
      <TextArea
        label={catalogue.length > 0 ? 'Other scopes' : 'Scopes'}
        mono
        rows={3}
        hint="One a line. docs:* covers every scope that begins with docs:."
        value={others}
        onChange={setOthers}
      />
      {role && <p class="hint">All keys with this role hold the new scopes within moments.</p>}
    </ActionDialog>
  )
}

function DeleteRole({ role, close }: { role: Role; close(): void }) {
  const remove = async () => {
    await request('DELETE', 'roles', { query: { name: role.name } })
    changed('roles', 'audit')
    tell('The role is deleted')
    close()
  }
  return (
    <ActionDialog
      title="Delete the role"
      action="Delete role"
      danger
      onAction={remove}
      onClose={close}
    >
      <p>
        <bdi>{role.name}</bdi> is removed. A role that a key still names, even a revoked one, cannot
        be deleted.
      </p>
    </ActionDialog>
  )
}
