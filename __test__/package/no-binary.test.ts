import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { useConsumers, type Consumer } from './support/consumer.js'
import { manifest } from './support/packed.js'

const consumer = useConsumers()
let app: Consumer
/** The package that npm has chosen for this machine. */
let binary: string

beforeAll(async () => {
  app = consumer()
  app.write('package.json', '{ "private": true }')
  await app.install('@sophra/api-keys')
  const scope = path.join(app.folder, 'node_modules/@sophra')
  const chosen = readdirSync(scope).filter((name) => name !== 'api-keys')
  expect(chosen).toHaveLength(1)
  binary = path.join(scope, chosen[0]!)
})

interface Told {
  name: string
  code: string
  message: string
}

/** The error of a program that loads the package on a machine with this platform. */
async function told(platform = process.platform as string, arch = process.arch as string) {
  const { stdout, stderr } = await app.node([
    '--eval',
    `Object.defineProperty(process, 'platform', { value: '${platform}' })
    Object.defineProperty(process, 'arch', { value: '${arch}' })
    let told = null
    try { require('@sophra/api-keys') } catch ({ name, code, message }) { told = { name, code, message } }
    console.log(JSON.stringify(told))`,
  ])
  expect(stderr).toBe('')
  return JSON.parse(stdout) as Told | null
}

test('npm installs the binary of the machine, and no other', async () => {
  expect(await told()).toBeNull()
})

test('without binaries for a platform the error names it, and those that there are', async () => {
  const { name, code, message } = (await told('freebsd', 'riscv64'))!
  expect([name, code]).toEqual(['ApiKeyError', 'CONFIGURATION'])
  expect(message).toContain('no binary for freebsd-riscv64')
  expect(message).toContain('darwin-arm64, darwin-x64, linux-arm64-gnu')
  expect(message).toContain('from source')
})

test('without the package of a platform the error says how to get it', async () => {
  const { message } = (await told('win32', 'x64'))!
  expect(message).toContain('no binary for win32-x64-msvc')
  const { version } = manifest('.')
  expect(message).toContain(`npm install @sophra/api-keys-win32-x64-msvc@${version}`)
})

test('a binary that is there and does not load is not called missing', async () => {
  const aside = `${binary}-aside`
  renameSync(binary, aside)
  try {
    const name = `node_modules/@sophra/${path.basename(binary)}`
    app.write(`${name}/package.json`, '{ "main": "addon.node" }')
    writeFileSync(path.join(binary, 'addon.node'), 'nothing that can be loaded')
    expect((await told())!.message).toMatch(/is installed, but does not load: .*addon\.node/)
  } finally {
    rmSync(binary, { recursive: true })
    renameSync(aside, binary)
  }
})
