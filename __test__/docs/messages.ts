import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../support/child.js'
import { read } from './markdown.js'

// The texts that the code gives to users and operators: errors, problems of inputs and of the configuration, findings of
// doctor, problems of health, hints, and what the command line says is wrong. They are extracted from the sources, so that
// a new one cannot be forgotten: every literal that reads like a sentence counts, unless a rule below says what else it is.

export interface Message {
  file: string
  line: number
  /** As it is in the source, with `…` for what is filled in. */
  text: string
}

export const messages = (): Message[] => [...rustFiles(), ...scripts()].flatMap(messagesOf)

export const messagesOf = (file: string): Message[] =>
  file.endsWith('.rs') ? messagesOfRust(file, read(file)) : messagesOfScript(file, read(file))

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesUnder(path, ending)
    return entry.name.endsWith(ending) ? [path] : []
  })
}

const rustFiles = (): string[] =>
  filesUnder('src', '.rs').filter((path) => !/\/tests(\.rs|\/)/.test(path))

/** What customers read, each of which an app can replace. */
const TEXTS_OF_A_PAGE = 'lib/react-texts.js'

/** What is published, without what is generated. */
function scripts(): string[] {
  const { files } = JSON.parse(read('package.json')) as { files: string[] }
  return (
    files
      .flatMap((path) =>
        statSync(join(root, path)).isDirectory() ? filesUnder(path, '.js') : [path],
      )
      .filter((path) => path.endsWith('.js') && path !== 'native.js')
      .filter((path) => path !== TEXTS_OF_A_PAGE)
      // What a build writes.
      .filter((path) => !path.startsWith('lib/console/files/'))
  )
}

const isSentence = (text: string): boolean => /\p{L}[^\n]* [^\n]*\p{L}/u.test(text)

// Rust

/** A call, macro or attribute that a literal is in, and which of its arguments the literal is in. */
interface Frame {
  bracket: string
  name: string
  argument: number
}

const TOKEN =
  /\/\/[^\n]*|\/\*[^]*?\*\/|b?r(#*)"[^]*?"\1|b?"((?:[^"\\]|\\[^])*)"|'(?:[^'\\]|\\[^'\n]+)'|([\w:.]+!?)|[()[\]{},]|[^\s]/g

export function messagesOfRust(file: string, source: string): Message[] {
  const [code] = source.split(/#\[cfg\(test\)\]\s*mod \w+ \{/) as [string]
  const found: Message[] = []
  const frames: Frame[] = []
  let last = ''
  for (const match of code.matchAll(TOKEN)) {
    // A raw literal is a statement for Postgres.
    const [token, , quoted, word] = match
    if (token.startsWith('//') || token.startsWith('/*')) continue
    if (quoted !== undefined) {
      const line = code.slice(0, match.index).split('\n').length
      const text = filledIn(quoted)
      if (isMessage(file, text, frames)) found.push({ file, line, text })
    } else if ('([{'.includes(token)) {
      frames.push({ bracket: token, name: /[\w!#]$/.test(last) ? last : '', argument: 0 })
    } else if (')]}'.includes(token)) {
      frames.pop()
    } else if (token === ',') {
      const frame = frames.at(-1)
      if (frame) frame.argument++
    }
    // `#[…]` is an attribute; the last part of a path or of a chain is what is called.
    last = word?.split(/::|\./).at(-1) || token
  }
  return found
}

/** As it reads: without the line breaks and escapes of the source, and with `…` for what is filled in. */
const filledIn = (text: string): string =>
  text
    .replace(/\\\n\s*/g, '')
    .replace(/\\"/g, '"')
    .replace(/\{\w*(?::[^}]*)?\}/g, '…')
    .trim()

function isMessage(file: string, text: string, frames: Frame[]): boolean {
  if (!isSentence(text) || isSql(text) || file.endsWith('/remedies.rs')) return false
  const isIn = (...names: string[]): boolean => frames.some(({ name }) => names.includes(name))
  // Attributes, but for `#[error("…")]`.
  if (isIn('#') && !isIn('error')) return false
  // Statements; what Prometheus is told of a metric; what developers alone see.
  if (isIn('query!', 'query_as!', 'query_scalar!', 'query', 'query_scalar', 'raw_sql')) return false
  // What a server or a library says, which is recognised and not repeated.
  if (isIn('says', 'contains', 'ends_with')) return false
  if (isIn('family', 'counter', 'gauge') || isIn('expect', 'panic!', 'unreachable!')) return false
  // Findings that need no entry, and the remedies of the others: the finding itself is what somebody looks for.
  const finding = frames.find(({ name }) =>
    ['ok', 'warning', 'problem', 'warning_of', 'problem_of'].includes(name),
  )
  if (finding) return finding.name !== 'ok' && finding.argument < 2
  // In a pair of a finding and its remedy too.
  const { bracket, name, argument } = frames.at(-1) ?? {}
  const isPair = bracket === '(' && (name === '' || name === 'return')
  return !(file.includes('doctor') && isPair && argument === 1)
}

const isSql = (text: string): boolean =>
  /^(\\n)*-- |\b(NOT NULL|DEFAULT [\w'])/.test(text) ||
  /^(…;|[\s\\n;])*(BEGIN|SELECT|INSERT|UPDATE|DELETE|ALTER|CREATE|DROP|TRUNCATE|LISTEN|NOTIFY|GRANT|SET|LOCK|WITH|FROM|ORDER BY|ADD COLUMN|UNIQUE|CONCURRENTLY|EXECUTE|END)\b/.test(
    text,
  ) ||
  /^[\s(]*"?\w+"? ?(\((?!\))|USING\b)/.test(text)

// JavaScript

/** On the command line there is more text than errors; these are its errors. */
const COMPLAINTS = ['UsageError', 'Error', 'TypeError', 'ApiKeyError', 'fail', 'warn']
const PROPERTIES = ['rule', 'message']
/** What a table of fields says besides. */
const DESCRIPTIONS = ['help', 'label', 'filter', 'value', 'empty', 'summary', 'details']

export function messagesOfScript(file: string, source: string): Message[] {
  const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.ES2022, true)
  const isCommandLine = /(^|\/)cli\//.test(file)
  const found: Message[] = []
  const visit = (node: ts.Node, complains: boolean): void => {
    const text = textOf(node)
    if (text !== undefined && isSentence(text) && !isAside(text, node)) {
      const line = parsed.getLineAndCharacterOfPosition(node.getStart()).line + 1
      if (complains || !isCommandLine) found.push({ file, line, text: text.trim() })
    }
    for (const part of text === undefined ? childrenOf(node) : filledInto(node))
      visit(part, complains || isComplaint(node))
  }
  visit(parsed, false)
  return found
}

const isComplaint = (node: ts.Node): boolean =>
  ts.isNewExpression(node) || ts.isCallExpression(node)
    ? COMPLAINTS.includes(node.expression.getText().split('.').at(-1)!)
    : isNamed(node, PROPERTIES)

const isNamed = (node: ts.Node, names: string[]): boolean =>
  (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node)) &&
  names.includes(node.name.getText())

/** A directive, a description, or the command whose help a usage error recommends. */
const isAside = (text: string, { parent }: ts.Node): boolean =>
  ts.isExpressionStatement(parent) ||
  isNamed(parent, DESCRIPTIONS) ||
  /^(keys|clients|admin-tokens) \w+$/.test(text)

/** A literal, a template, or several of them added to each other. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('')
  if (!isSum(node)) return undefined
  const [left, right] = [textOf(node.left), textOf(node.right)]
  return left === undefined || right === undefined ? undefined : left + right
}

const isSum = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken

/** What is filled into a text. */
function filledInto(node: ts.Node): ts.Node[] {
  if (ts.isTemplateExpression(node)) return node.templateSpans.map(({ expression }) => expression)
  return isSum(node) ? [...filledInto(node.left), ...filledInto(node.right)] : []
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = []
  ts.forEachChild(node, (child) => void children.push(child))
  return children
}
