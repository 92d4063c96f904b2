import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './child.js'

/** A parameter of a function: a text, or an object with these fields. */
export interface Parameter {
  name: string
  /** By name, as TypeScript writes their types; `undefined` where the parameter is no object. */
  fields: Record<string, string> | undefined
}

const source = ts.createSourceFile(
  'index.d.ts',
  readFileSync(join(root, 'index.d.ts'), 'utf8'),
  ts.ScriptTarget.Latest,
)
const interfaces = new Map(
  source.statements.filter(ts.isInterfaceDeclaration).map((it) => [it.name.text, it]),
)

/** The fields of an interface, those that it extends included. */
export function fieldsOf(name: string): Record<string, string> {
  const declared = interfaces.get(name)
  if (!declared) throw new Error(`No interface ${name}`)
  const inherited = declared.heritageClauses?.flatMap(({ types }) => types) ?? []
  const fields = Object.assign(
    {},
    ...inherited.map((it) => fieldsOf(it.expression.getText(source))),
  )
  for (const member of declared.members.filter(ts.isPropertySignature))
    fields[member.name.getText(source)] = member.type!.getText(source)
  return fields as Record<string, string>
}

function parameterOf({ name, type }: ts.ParameterDeclaration): Parameter {
  const parts = type && ts.isUnionTypeNode(type) ? type.types : [type!]
  const named = parts.map((part) => part.getText(source)).find((part) => interfaces.has(part))
  return { name: name.getText(source), fields: named ? fieldsOf(named) : undefined }
}

/** The functions that `index.d.ts` declares, and what they take. */
export const declaredFunctions: Record<string, Parameter[]> = Object.fromEntries(
  source.statements
    .filter(ts.isFunctionDeclaration)
    .map((it) => [it.name!.text, it.parameters.map(parameterOf)]),
)
