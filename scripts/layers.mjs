/**
 * Checks the layers of `src/`: a file imports only from the layers below its own, engines do not know each other, and no
 * two files import each other, directly or in a circle. Prints each import that breaks the rule with its file and line.
 *
 * Imports are the `use` lines (grouped, over several lines, renamed) and the `crate::…` paths in the code. Tests do not
 * count, and neither does a `pub use` with which a module re-exports the items of its submodules.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** From the bottom up. The modules of one layer do not know each other, unless the layer says so. */
export const LAYERS = [
  { name: 'foundations', modules: ['background', 'error', 'panic', 'random'], ordered: true },
  { name: 'values', modules: ['model'] },
  { name: 'input', modules: ['input'] },
  {
    name: 'engines',
    modules: [
      'cache',
      'courier',
      'events',
      'hash',
      'jwt',
      'metrics',
      'quota_leases',
      'rate_limit',
      'seal',
      'single_flight',
      'token',
      'usage',
    ],
  },
  { name: 'configuration', modules: ['config'] },
  { name: 'database', modules: ['store'] },
  {
    name: 'state',
    modules: [
      'audit',
      'cached_limits',
      'cached_quotas',
      'cached_clients',
      'cached_roles',
      'cached_key',
      'cached_token',
      'charges',
      'cold_digests',
      'sealing',
      'deliverer',
      'legacy_keys',
      'issued_plaintexts',
      'preloaded_keys',
      'reused_keys',
      'self_check',
      'suspensions',
      'token_keys',
      'unconfirmed_keys',
      'unreadable_keys',
      'unwritable_keys',
      'usage_folding',
    ],
    ordered: true,
  },
  { name: 'context', modules: ['service'] },
  {
    name: 'operations',
    modules: [
      'legacy',
      'admin',
      'audit_log',
      'console',
      'quotas',
      'usage_history',
      'webhooks',
      'clients',
      'roles',
      'doctor',
      'health',
      'keys',
      'imports',
      'verify',
      'derived_tokens',
      'warm_up',
    ],
    ordered: true,
  },
  { name: 'tasks', modules: ['tasks'] },
  { name: 'process', modules: ['process'] },
  { name: 'boundary', modules: ['binding'] },
]

/**
 * The layers that the boundary may use: it converts arguments and answers, and calls operations and `process`. It uses no engine
 * directly except `events`, whose listeners it adds.
 */
const BOUNDARY_KNOWS = ['values', 'input', 'foundations', 'context', 'operations', 'process']

/** Everything that breaks the rule in the crate at `root`, as `file:line: message`. */
export function violations(root) {
  const files = sourceFiles(root)
  const imports = [...files.values()].flatMap((file) => importsOf(file, files))
  return [...imports.flatMap(layerFault), ...circles(imports), ...unknownModules(files)]
}

/** By module path (`store::keys`): the file, and its text without comments and tests. */
function sourceFiles(root) {
  const files = new Map()
  const visit = (folder) => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = path.join(folder, entry.name)
      if (entry.isDirectory()) visit(name)
      else if (name.endsWith('.rs') && name !== 'lib.rs' && !isTest(name)) {
        const module = name.slice(0, -'.rs'.length).split(path.sep)
        files.set(module.join('::'), {
          file: path.join('src', name).split(path.sep).join('/'),
          module,
          text: withoutTests(withoutComments(readFileSync(path.join(root, name), 'utf8'))),
        })
      }
    }
  }
  visit('.')
  return files
}

const isTest = (name) => /(^|[/\\])tests([/\\]|\.rs$)/.test(name)

/** Comments and texts become blanks, so that lines stay where they are. */
function withoutComments(text) {
  const blank = (match) => match.replace(/[^\n]/g, ' ')
  return text.replace(
    /\/\/[^\n]*|\/\*[^]*?\*\/|r#"[^]*?"#|"(?:\\[^]|[^"\\])*"|'(?:\\.|[^'\\\n])'/g,
    blank,
  )
}

/** A `#[cfg(test)]` item becomes blank. */
function withoutTests(text) {
  let rest = text
  for (let at; (at = rest.search(/#\[cfg\(test\)\]/)) >= 0;) {
    const open = rest.indexOf('{', at)
    const semicolon = rest.indexOf(';', at)
    const end = semicolon >= 0 && (open < 0 || semicolon < open) ? semicolon : closing(rest, open)
    const item = rest.slice(at, end + 1)
    rest = rest.slice(0, at) + item.replace(/[^\n]/g, ' ') + rest.slice(end + 1)
  }
  return rest
}

function closing(text, open) {
  let depth = 0
  for (let at = open; at >= 0 && at < text.length; at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}' && --depth === 0) return at
  }
  return text.length - 1
}

/** What a file imports of the crate: from where, to which file, at which line. */
function importsOf(from, files) {
  const found = new Map()
  const add = (segments, index) => {
    const to = resolve(from, segments, files)
    const line = from.text.slice(0, index).split('\n').length
    if (to && to !== from && !found.has(to)) found.set(to, { from, to, line })
  }
  const statements = /(^|\n)\s*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);/g
  let code = from.text
  for (const match of from.text.matchAll(statements)) {
    const [statement, , visibility, tree] = match
    const index = match.index + statement.indexOf('use')
    code = code.replace(statement, statement.replace(/[^\n]/g, ' '))
    for (const segments of leaves(tree)) {
      const isOwnChild = visibility && isChild(from, segments, files)
      if (!isOwnChild) add(segments, index)
    }
  }
  for (const match of code.matchAll(/\b(?:crate|super|self)(?:::\w+)+/g)) {
    add(match[0].split('::'), match.index)
  }
  return [...found.values()]
}

/** The paths that `a::{b, c::{d as e, *}}` stands for. */
function leaves(tree) {
  const text = tree.trim()
  const open = text.indexOf('{')
  if (open < 0)
    return [
      text
        .split(/\s+as\s+/)[0]
        .trim()
        .split('::')
        .map((part) => part.trim()),
    ]
  const prefix = text
    .slice(0, open)
    .replace(/::\s*$/, '')
    .trim()
  const inner = text.slice(open + 1, text.lastIndexOf('}'))
  const parts = []
  let depth = 0
  let start = 0
  for (let at = 0; at <= inner.length; at++) {
    if (inner[at] === '{') depth++
    if (inner[at] === '}') depth--
    if (at === inner.length || (inner[at] === ',' && depth === 0)) {
      const part = inner.slice(start, at).trim()
      if (part) parts.push(part)
      start = at + 1
    }
  }
  const before = prefix ? prefix.split('::') : []
  return parts.flatMap((part) => leaves(part).map((path) => [...before, ...path]))
}

/** The segments from the root of the crate; `undefined` where they lead out of it. */
function absolute(from, segments, files) {
  const [first, ...rest] = segments
  if (first === 'crate') return rest
  if (first === 'self') return [...from.module, ...rest]
  if (first === 'super') {
    let module = from.module
    let at = 0
    while (segments[at] === 'super') {
      module = module.slice(0, -1)
      at++
    }
    return [...module, ...segments.slice(at)]
  }
  const child = [...from.module, first]
  return files.has(child.join('::')) ? [...child, ...rest] : undefined
}

/** The file that a path leads to: the deepest module of the path that is a file. */
function resolve(from, segments, files) {
  const all = absolute(from, segments, files)
  if (!all) return undefined
  for (let length = all.length; length > 0; length--) {
    const file = files.get(all.slice(0, length).join('::'))
    if (file) return file
  }
  return undefined
}

function isChild(from, segments, files) {
  const to = resolve(from, segments, files)
  return to && to.module.slice(0, from.module.length).join('::') === from.module.join('::')
}

const rank = new Map(
  LAYERS.flatMap((layer, level) =>
    layer.modules.map((module, order) => [module, { layer, level, order }]),
  ),
)

function layerFault({ from, to, line }) {
  const [a, b] = [from.module[0], to.module[0]]
  const [mine, theirs] = [rank.get(a), rank.get(b)]
  if (a === b || !mine || !theirs) return []
  const fault = (why) => [`${from.file}:${line}: ${a} imports ${b} (${to.file}): ${why}`]
  if (a === 'binding' && b !== 'events' && !BOUNDARY_KNOWS.includes(theirs.layer.name)) {
    return fault('the boundary only converts arguments and answers')
  }
  if (theirs.level > mine.level) {
    return fault(`${theirs.layer.name} are above ${mine.layer.name}`)
  }
  if (theirs.level < mine.level) return []
  if (!mine.layer.ordered) return fault(`${mine.layer.name} do not know each other`)
  return theirs.order > mine.order ? fault(`of the ${mine.layer.name} it comes later`) : []
}

/** Each circle once, with the import that closes it. */
function circles(imports) {
  const next = new Map()
  for (const edge of imports) {
    next.set(edge.from, [...(next.get(edge.from) ?? []), edge])
  }
  const found = []
  const done = new Set()
  const visit = (file, trail) => {
    if (done.has(file)) return
    for (const edge of next.get(file) ?? []) {
      const at = trail.findIndex((one) => one.from === edge.to)
      if (at >= 0 || edge.to === file) {
        const circle = [...trail.slice(at < 0 ? trail.length : at), edge]
        const names = circle.map((one) => one.from.file).join(' → ')
        found.push(`${edge.from.file}:${edge.line}: a circle: ${names} → ${edge.to.file}`)
      } else {
        visit(edge.to, [...trail, edge])
      }
    }
    done.add(file)
  }
  for (const file of next.keys()) visit(file, [])
  return found
}

/** Finds modules without a layer, for which nothing would be checked. */
function unknownModules(files) {
  const known = (file) => file.module.length > 1 || rank.has(file.module[0])
  return [...files.values()]
    .filter((file) => !known(file))
    .map(
      (file) => `${file.file}:1: no layer has the module ${file.module[0]}: see scripts/layers.mjs`,
    )
}

const isMain = process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)
if (isMain) {
  const root = process.argv[2] ?? fileURLToPath(new URL('../src', import.meta.url))
  if (!existsSync(root)) throw new Error(`There is no folder ${root}`)
  const found = violations(root)
  for (const violation of found) console.error(violation)
  if (found.length > 0) process.exit(1)
  console.log('The layers hold: no import goes up, and none goes round a circle.')
}
