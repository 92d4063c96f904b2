import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../support/child.js'
import { blocksOf } from './markdown.js'

/**
 * The `ts` blocks of a page as one module, each line where it is in the page; blocks that are files are left out. A line
 * `value // => expected` becomes a check; the other lines stay as they are.
 */
export function moduleOf(text: string): string {
  const lines = text.split('\n').map(() => '')
  for (const block of blocksOf('', text)) {
    if (block.language !== 'ts' || block.file) continue
    for (const [index, line] of block.text.trimEnd().split('\n').entries()) {
      const at = block.line + index
      lines[at - 1] = line.replace(CHECK, `$1;checked(${at}, $2, $3)`)
    }
  }
  return `${lines.join('\n')}\n${CHECKER}`
}

const CHECK = /^(\s*)(\S.*) \/\/ => (.+)$/

/** The lines of the checks. */
export const checkedLines = (source: string): number[] =>
  [...source.matchAll(/^\s*;checked\((\d+),/gm)].map(([, line]) => Number(line))

/** Reports each check through file descriptor 3. An object may have more fields than are expected. */
const CHECKER = `
import { writeSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'

function checked(line: number, actual: unknown, expected: unknown): void {
  const ok = matches(actual, expected)
  writeSync(3, JSON.stringify(ok ? { line } : { line, actual, expected }) + '\\n')
}

function matches(actual: any, expected: any): boolean {
  if (typeof expected !== 'object' || expected === null) return isDeepStrictEqual(actual, expected)
  if (Array.isArray(expected) && actual?.length !== expected.length) return false
  return Object.keys(expected).every((name) => matches(actual?.[name], expected[name]))
}
`

/** The declarations that modules import, parsed once for all of them. */
const declarations = new Map<string, ts.SourceFile | undefined>()

/** Compiles a module in the root of the repository, as strictly as an app may. */
export function compile(source: string): { problems: string[]; code: string } {
  // The extension makes it an ES module, which may use `await` at its top level.
  const file = join(root, 'document.mts')
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    strict: true,
    isolatedModules: true,
    noUncheckedIndexedAccess: true,
    // Those of NestJS.
    experimentalDecorators: true,
    skipLibCheck: true,
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, ...rest) => {
    if (name === file) return ts.createSourceFile(name, source, ts.ScriptTarget.ES2022)
    if (!declarations.has(name)) declarations.set(name, getSourceFile(name, ...rest))
    return declarations.get(name)
  }
  let code = ''
  host.writeFile = (_name, text) => (code = text)

  const program = ts.createProgram([file], options, host)
  program.emit()
  return { problems: ts.getPreEmitDiagnostics(program).map(problem), code }
}

function problem({ file, start, messageText }: ts.Diagnostic): string {
  const line = file ? file.getLineAndCharacterOfPosition(start ?? 0).line + 1 : 0
  return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
}
