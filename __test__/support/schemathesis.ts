import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { root } from './child.js'

const settings = join(root, '__test__/http/openapi')
/** The place where `.ci/run` installs it. */
const tools = join(root, 'target/tools/bin')

const environment = (): NodeJS.ProcessEnv => {
  const { PATH, HOME, TMPDIR } = process.env
  return { PATH: `${tools}${delimiter}${PATH}`, HOME, TMPDIR, PYTHONDONTWRITEBYTECODE: '1' }
}

/** Its version, or `undefined` where it is neither in `target/tools` nor on the PATH. */
export const schemathesisVersion = (): string | undefined =>
  /version \S+/.exec(spawnSync('schemathesis', ['--version'], options()).stdout ?? '')?.[0]

/** The errors of a document by the specification of OpenAPI. */
export function validate(file: string): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('openapi-spec-validator', [file], options())
  return { code: status, output: `${stdout}${stderr}` }
}

function options(): { env: NodeJS.ProcessEnv; encoding: 'utf8' } {
  return { env: environment(), encoding: 'utf8' }
}

export interface Run {
  code: number
  /** Its output, for people. */
  output: string
  report: {
    operations: { total: number; tested: number; errored: number; skipped: number }
    phases: Record<string, { status: string }>
    test_cases: { generated: number; errored: number }
    failures: { type: string }[]
    errors: unknown[]
  }
  /** The statuses that each operation, e.g. `GET /api/keys`, has answered. */
  answers: Map<string, Set<number>>
  /** The operations that were reached by a link of the document, and accepted it. */
  linked: Set<string>
}

/** Runs schemathesis with a document, the settings of `__test__/http/openapi/` and these variables. */
export async function schemathesis(
  file: string,
  variables: { APP_URL: string } & Record<string, string>,
  args: string[] = [],
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'schemathesis-'))
  try {
    const config = ['--config-file', join(settings, 'schemathesis.toml')]
    const reports = ['--report', 'json,ndjson', '--report-dir', folder]
    const command = [...config, 'run', file, '--url', variables.APP_URL, ...reports, ...args]
    const { code, output } = await run(command, folder, variables)
    const read = (kind: string): string => {
      const name = readdirSync(folder).find((name) => name.startsWith(`${kind}-`))
      if (!name) throw new Error(`There is no report:\n${output}`)
      return readFileSync(join(folder, name), 'utf8')
    }
    return { code, output, report: JSON.parse(read('json')), ...told(read('ndjson')) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function run(
  command: string[],
  cwd: string,
  variables: Record<string, string>,
): Promise<{ code: number; output: string }> {
  const env = {
    ...environment(),
    ...variables,
    PYTHONPATH: settings,
    SCHEMATHESIS_HOOKS: 'hooks',
  }
  return new Promise((resolve) => {
    const child = execFile(
      'schemathesis',
      command,
      { env, cwd, maxBuffer: Infinity },
      (_error, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, output: `${stdout}${stderr}` }),
    )
  })
}

/** The responses among the events of a run. */
function told(events: string): Pick<Run, 'answers' | 'linked'> {
  const answers: Run['answers'] = new Map()
  const linked: Run['linked'] = new Set()
  for (const line of events.trim().split('\n')) {
    const { cases = {}, interactions = {} } = JSON.parse(line).ScenarioFinished?.recorder ?? {}
    for (const [id, { value, transition }] of Object.entries<any>(cases)) {
      const status = interactions[id]?.response?.status_code
      if (status === undefined) continue
      const operation = `${value.method} ${value.path}`
      answers.set(operation, (answers.get(operation) ?? new Set()).add(status))
      if (transition && status < 300) linked.add(operation)
    }
  }
  return { answers, linked }
}
