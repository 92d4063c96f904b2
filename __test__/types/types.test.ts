import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { run } from '../support/child.js'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

test("the published types serve a strict application's code, and refuse what is wrong", async () => {
  const tsc = path('../../node_modules/typescript/bin/tsc')
  const child = await run([process.execPath, tsc, '--project', path('tsconfig.json')])
  expect(child).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test('guards are typed by the catalogue that an application declares', async () => {
  const tsc = path('../../node_modules/typescript/bin/tsc')
  const child = await run([process.execPath, tsc, '--project', path('tsconfig.scopes.json')])
  expect(child).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test.each(['servers', 'servers-before'])(
  "so do the types of the frameworks' guards: %s",
  async (name) => {
    const tsc = path('../../node_modules/typescript/bin/tsc')
    const project = path(`tsconfig.${name}.json`)
    const child = await run([process.execPath, tsc, '--project', project])
    expect(child).toMatchObject({ code: 0, stdout: '', stderr: '' })
  },
)

test.each(['react', 'react-before'])('so do the types for pages of customers: %s', async (name) => {
  const tsc = path('../../node_modules/typescript/bin/tsc')
  const project = path(`tsconfig.${name}.json`)
  const child = await run([process.execPath, tsc, '--project', project])
  expect(child).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test('what the types declare is what the package exports', () => {
  const types = readFileSync(path('../../index.d.ts'), 'utf8')
  const declared = [...types.matchAll(/^export declare (?:function|const|class) (\w+)/gm)]
  expect(declared.map(([, name]) => name).sort()).toEqual(Object.keys(addon).sort())
})
