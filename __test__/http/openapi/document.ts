import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from '../../support/child.js'

const example = join(root, 'examples/nextjs')

export const file = join(example, 'openapi.yaml')

/** The document, for a test to change. */
export const read = (): any => parse(readFileSync(file, 'utf8'))

const document = read()

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

export const paths = Object.keys(document.paths)

/** The operations of the app, by names such as `GET /api/keys`. */
export const operations = new Map<string, any>(
  paths.flatMap((path) =>
    methodsOf(path).map((method) => [
      `${method} ${path}`,
      document.paths[path][method.toLowerCase()],
    ]),
  ),
)

export function methodsOf(path: string): string[] {
  return METHODS.filter((method) => method.toLowerCase() in document.paths[path])
}

/** What catches all paths below it. */
const CATCH_ALL = '/[[...path]]'

/** The route that serves a path: the path itself, or one that catches all below it. */
export const routeOf = (path: string): string =>
  routeFiles().find(
    (route) => route.endsWith(CATCH_ALL) && `${path}/`.startsWith(route.slice(0, -11)),
  ) ?? path

/** The paths of the route files. One that catches all has those of the document: the console, which serves pages, has none. */
export const routes = (): string[] =>
  routeFiles().flatMap((route) =>
    route.endsWith(CATCH_ALL) ? paths.filter((path) => routeOf(path) === route) : [route],
  )

function routeFiles(): string[] {
  const files = readdirSync(join(example, 'app'), { recursive: true, encoding: 'utf8' })
  return files
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('/route.ts'))
    .map((file) => `/${file.slice(0, -'/route.ts'.length).replace(/\[(\w+)\]/g, '{$1}')}`)
}

/** The answers to an operation that whoever is let in can bring about, and who is not. */
export function answersOf(operation: string): number[] {
  const others = [403, 409, 413, 415, 422, 429, 500, 503]
  const all = Object.keys(operations.get(operation).responses).map(Number)
  return all.filter((status) => !others.includes(status))
}

/** The answer to an operation that is done. */
export const successOf = (operation: string): number =>
  Number(Object.keys(operations.get(operation).responses)[0])

/** The operations to which links lead. */
export function linkedOperations(): string[] {
  const { Client, IssuedKey } = document.components.responses
  const events = operations.get('GET /api/keys/audit').responses['200']
  const ids = [IssuedKey, Client, events].flatMap(({ links }) =>
    Object.values<any>(links).map(({ operationId }) => operationId),
  )
  return [...operations.keys()].filter((name) => ids.includes(operations.get(name).operationId))
}
