import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { root } from '../support/child.js'
import { blocksOf, read } from './markdown.js'

const blocks = blocksOf('docs/guides/customer-keys.md')

/** What TypeScript finds wrong with a module of an app. */
function problemsOf(text: string): string[] {
  const file = join(root, 'document.tsx')
  const options: ts.CompilerOptions = {
    jsx: ts.JsxEmit.ReactJSX,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
    target: ts.ScriptTarget.ES2022,
    types: [],
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022)
      : getSourceFile(name, ...rest)
  const program = ts.createProgram([file], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test('the components of the guide are those of a strict app', () => {
  const components = blocks.filter(({ language }) => language === 'tsx')
  expect(components).toHaveLength(2)
  for (const { text } of components) expect(problemsOf(text)).toEqual([])
})

test('the variables of the guide are those of the styles', () => {
  const variables = (text: string): string[] => [
    ...new Set([...text.matchAll(/--sophra-keys-[a-z-]+/g)].map(([name]) => name)),
  ]
  const known = variables(read('lib/react.css'))
  const [css] = blocks.filter(({ language }) => language === 'css')
  expect(variables(css!.text).filter((name) => !known.includes(name))).toEqual([])
  const listed = /The variables are `--sophra-keys-text`, (.*)\./.exec(
    read('docs/guides/customer-keys.md'),
  )![1]!
  const names = ['text', ...[...listed.matchAll(/`-([a-z-]+)`/g)].map(([, name]) => name!)]
  expect(names.map((name) => `--sophra-keys-${name}`).sort()).toEqual([...known].sort())
})
