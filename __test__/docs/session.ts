import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { neutralEnvironment, root, run } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { read, type Block } from './markdown.js'

/**
 * A command of a `bash` block, and what it must print: the `# => ` lines after it, in which `…` stands for anything.
 * It must succeed, unless one of these lines is `exit code 1`.
 */
export interface Command {
  line: number
  text: string
  prints?: string
  code?: number
}

export function commandsOf({ text, line: first }: Block): Command[] {
  const commands: Command[] = []
  let continued: Command | undefined
  for (const [index, line] of text.trimEnd().split('\n').entries()) {
    const last = commands.at(-1)
    if (continued) {
      continued.text += `\n${line}`
      if (!line.endsWith('\\')) continued = undefined
    } else if (/^# => exit code \d$/.test(line) && last) {
      last.code = Number(line.at(-1))
    } else if (line.startsWith('# => ') && last) {
      last.prints = `${last.prints === undefined ? '' : `${last.prints}\n`}${line.slice(5)}`
    } else if (line.trim() !== '' && !line.startsWith('#')) {
      const command = { line: first + index, text: line }
      commands.push(command)
      if (line.endsWith('\\')) continued = command
    }
  }
  return commands
}

/** A user at a terminal: the files of a page in a folder, and its commands one after the other. */
export class Session {
  readonly #folder: string
  readonly #env: Record<string, string>
  #server: ChildProcess | undefined
  #port = 0

  constructor(env: Record<string, string>, files: Block[]) {
    // Inside the repository, where the package and the frameworks are found.
    mkdirSync(join(root, 'target'), { recursive: true })
    this.#folder = mkdtempSync(join(root, 'target/docs-'))
    const tools = join(this.#folder, '.tools')
    mkdirSync(tools)
    writeFileSync(join(tools, 'npx'), NPX, { mode: 0o755 })
    writeFileSync(join(tools, '.curlrc'), 'silent\nshow-error\n')
    this.#env = { ...env, PATH: `${tools}:${process.env.PATH}`, CURL_HOME: tools }
    const variables = Object.entries(env).map(([name, value]) => `${name}='${value}'\n`)
    writeFileSync(join(this.#folder, '.env'), variables.join(''))
    for (const { file, text } of files) {
      const path = join(this.#folder, file!)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
  }

  /** Runs a command; answers what is wrong, or nothing. */
  async run({ text, prints, code = 0 }: Command): Promise<string | undefined> {
    const installs = /^npm install (.+)$/.exec(text)
    if (installs) return notInstallable(installs[1]!.split(' '))
    // The test has a database and a secret of its own.
    if (/^export (DATABASE_URL|DIRECT_DATABASE_URL|JWT_SECRET)=/.test(text)) return
    const variable = /^export (\w+)=/.exec(text)?.[1]
    const file = /^node (\S+)$/.exec(text)?.[1]
    if (file && /\b(listen|serve)\(/.test(readFileSync(join(this.#folder, file), 'utf8')))
      return this.#serve(file)

    const command = text.replaceAll('localhost:3000', `localhost:${this.#port}`)
    const child = await run(
      [
        'bash',
        '-euo',
        'pipefail',
        '-c',
        variable ? `${command}; printf %s "$${variable}"` : command,
      ],
      { cwd: this.#folder, env: this.#env },
    )
    if (child.code !== code) return `exit code ${child.code}\n${child.stdout}${child.stderr}`
    if (variable) this.#env[variable] = child.stdout
    else if (prints !== undefined && !patternOf(prints).test(child.stdout.trim()))
      return `it printed\n${child.stdout}`
  }

  end(): void {
    this.#server?.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #serve(file: string): Promise<undefined> {
    this.#server?.kill('SIGKILL')
    this.#port = await freePort()
    this.#server = spawn(process.execPath, [file], {
      cwd: this.#folder,
      env: { ...neutralEnvironment(), ...this.#env, PORT: String(this.#port) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await eventually(() => fetch(`http://localhost:${this.#port}`), 30_000)
  }
}

/** Packages that are installed here, so that what a page says about them is tried. */
function notInstallable(packages: string[]): string | undefined {
  const { name, devDependencies } = JSON.parse(read('package.json'))
  const { dependencies } = JSON.parse(read('examples/nextjs/package.json'))
  const known = new Set([name, ...Object.keys(devDependencies), ...Object.keys(dependencies)])
  const unknown = packages.filter((word) => !word.startsWith('-') && !known.has(word))
  if (unknown.length > 0) return `not installed here: ${unknown.join(', ')}`
}

const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> }
const program = join(root, bin['sophra-api-keys']!)
if (!existsSync(program)) throw new Error(`${program} is missing`)

const NPX = `#!/bin/sh
if [ "$1" = @sophra/api-keys ]; then shift; exec '${process.execPath}' '${program}' "$@"; fi
if [ "$1" = tsc ]; then shift; exec '${process.execPath}' '${join(root, 'node_modules/typescript/bin/tsc')}' "$@"; fi
echo "npx knows no $1 here" >&2
exit 127
`

function patternOf(prints: string): RegExp {
  const parts = prints.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^]*')}$`)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0)
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
