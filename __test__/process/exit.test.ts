import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { root, runScript, startScript, type Ended, type Running } from '../support/child.js'
import { newKey, silent, started, STAY, useEndings, USES, verify } from '../support/endings.js'

const { envFor, isSuspended, usesOf } = useEndings()

type Key = Awaited<ReturnType<typeof newKey>>

describe('usage is stored by a process that', () => {
  const ends: [string, string, Partial<Ended>][] = [
    ['returns', '', { code: 0, ...silent }],
    ['closes and exits', 'await api.close(); process.exit(3)', { code: 3, ...silent }],
    ['closes and exits at once', 'api.close(); process.exit(3)', { code: 3, ...silent }],
    ['exits', 'process.exit(3)', { code: 3, ...silent }],
    ['exits while it flushes', 'api.flush(); process.exit(3)', { code: 3, ...silent }],
    ['sets an exit code and returns', 'process.exitCode = 4', { code: 4, ...silent }],
    ['throws and nobody catches', `setImmediate(() => { throw new Error('Thrown') })`, { code: 1 }],
    ['rejects and nobody catches', `throw new Error('Thrown')`, { code: 1 }],
  ]
  test.each(ends)('%s', async (_, end, expected) => {
    const key = await newKey()
    const child = await runScript(`${verify()} ${end}`, { env: envFor(key) })
    expect(child).toMatchObject({ signal: null, ...expected })
    if (expected.code === 1) expect(child.stderr).toContain('Thrown')
    expect(await usesOf(key)).toBe(USES)
  })
})

describe.each(['SIGTERM', 'SIGINT', 'SIGUSR2'] as const)('%s', (signal) => {
  const running = (key: Key, source: string): Promise<Running> =>
    started(`${STAY} ${source} report('ready')`, envFor(key))

  test('ends the process as it does by default, once usage is stored', async () => {
    const key = await newKey()
    const child = await running(key, verify())
    child.signal(signal)
    expect(await child.ended).toMatchObject({ code: null, signal, ...silent })
    expect(await usesOf(key)).toBe(USES)
  })

  const decides = `() => { report('called'); setTimeout(() => process.exit(7), 10) }`
  const closes = `async () => { report('called'); await api.close(); process.exit(7) }`
  const apps: [string, string][] = [
    ['once, and closes', `${verify()} process.once('${signal}', ${closes});`],
    ['once, before the first verify', `process.once('${signal}', ${closes}); ${verify()}`],
    ['before the first verify', `process.on('${signal}', ${decides}); ${verify()}`],
    ['after the first verify', `${verify()} process.on('${signal}', ${decides});`],
    ['first of all', `${verify()} process.prependListener('${signal}', ${decides});`],
  ]
  test.each(apps)('is left to an app that listens %s', async (_, source) => {
    const key = await newKey()
    const child = await running(key, source)
    child.signal(signal)
    const end = await child.ended
    expect(end).toMatchObject({ code: 7, signal: null, ...silent })
    expect(end.reports).toEqual(['ready', 'called'])
    expect(await usesOf(key)).toBe(USES)
  })

  test('does not end an app that listens and goes on', async () => {
    const key = await newKey()
    const listen = `process.on('${signal}', () => report('called'));
      process.on('SIGHUP', async () => { ${verify()} clearInterval(staying) });`
    const child = await running(key, `${listen} ${verify()}`)
    for (const uses of [1, 1]) {
      child.signal(signal)
      expect(await child.next()).toBe('called')
      expect(await usesOf(key)).toBe(USES * uses)
    }
    child.signal('SIGHUP')
    expect(await child.ended).toMatchObject({ code: 0, signal: null, ...silent })
    expect(await usesOf(key)).toBe(2 * USES)
  })

  const alone = `process.on('${signal}', () => {
    if (process.listeners('${signal}').length === 1) process.exit(5)
  });`
  const cleansUp = `require('signal-exit').onExit(() => report('cleaned up'));`
  const others: [string, string, Partial<Ended>][] = [
    ['ends it only if it is alone, added before', `${alone} ${verify()}`, { code: 5 }],
    ['ends it only if it is alone, added after', `${verify()} ${alone}`, { code: 5 }],
    ['cleans up, added before', `${cleansUp} ${verify()}`, { code: null, signal }],
    ['cleans up, added after', `${verify()} ${cleansUp}`, { code: null, signal }],
  ]
  test.each(others)('ends a process in which a listener %s', async (_, source, expected) => {
    const key = await newKey()
    const child = await running(key, source)
    child.signal(signal)
    const end = await child.ended
    expect(end).toMatchObject({ ...expected, ...silent })
    expect(end.reports.slice(1)).toEqual(source.includes(cleansUp) ? ['cleaned up'] : [])
    expect(await usesOf(key)).toBe(USES)
  })

  test('ends a process with two copies of the package', async () => {
    const key = await newKey()
    const second = `
      for (const path of Object.keys(require.cache)) delete require.cache[path]
      const other = require('@sophra/api-keys')
      report(other !== api)
      for (let n = 0; n < ${USES}; n++) await other.verifyApiKey(process.env.KEY);`
    const child = startScript(`${STAY} ${verify()} ${second}`, {
      env: envFor(key),
      timeoutMs: 20_000,
    })
    expect(await child.next()).toBe(true)
    child.signal(signal)
    expect(await child.ended).toMatchObject({ code: null, signal, ...silent })
  })
})

test('importing the package leaves signals and the end of the process alone', async () => {
  const names = `['SIGTERM', 'SIGINT', 'SIGUSR2', 'exit', 'beforeExit']`
  const child = await runScript(`report(${names}.map((name) => process.listenerCount(name)))`)
  expect(child).toEqual({ code: 0, signal: null, ...silent, reports: [[0, 0, 0, 0, 0]] })
})

describe('SIGUSR2 does not end a process that', () => {
  /** A library of native code that handles the signal from when it is loaded on. */
  const folder = mkdtempSync(path.join(tmpdir(), 'signals-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const library = path.join(folder, 'handles.node')
  const source = `#include <signal.h>
    __attribute__((constructor)) static void handle(void) { signal(SIGUSR2, SIG_IGN); }`
  execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', library], { input: source })
  const handles = `try { process.dlopen({ exports: {} }, ${JSON.stringify(library)}) } catch {}`

  test.each([
    ['handles it in native code, loaded before the first verify', `${handles} ${verify()}`, 0],
    ['handles it in native code, loaded after the first verify', `${verify()} ${handles}`, 1],
  ])('%s', async (_, source, listeners) => {
    const key = await newKey()
    const child = await started(
      `${STAY} ${source}
       process.on('SIGHUP', () => { report(process.listenerCount('SIGUSR2')); clearInterval(staying) })
       report('ready')`,
      envFor(key),
    )
    child.signal('SIGUSR2')
    child.signal('SIGHUP')
    const ended = { code: 0, signal: null, ...silent, reports: ['ready', listeners] }
    expect(await child.ended).toEqual(ended)
    expect(await usesOf(key)).toBe(USES)
  })
})

describe('a suspension of the last moment is stored', () => {
  const limit = { rateLimit: 1, rateLimitWindowSeconds: 86_400 }
  // Nothing else is left to be stored, so nothing else can take it along.
  const exceed = `${verify(1)} await api.flush(); report((await api.verifyApiKey(process.env.KEY)).code);`
  const ends: [string, string, Partial<Ended>][] = [
    ['by process.exit', 'process.exit(3)', { code: 3 }],
    ['by a natural end', '', { code: 0 }],
    ['by a signal', `process.kill(process.pid, 'SIGTERM'); ${STAY}`, { signal: 'SIGTERM' }],
    ['by close', 'await api.close(); process.exit(3)', { code: 3 }],
    ['by flush', 'await api.flush(); process.kill(process.pid, "SIGKILL")', { signal: 'SIGKILL' }],
  ]
  test.each(ends)('%s', async (_, end, expected) => {
    for (let time = 0; time < 5; time++) {
      const key = await newKey(limit)
      const child = await runScript(`${exceed} ${end}`, { env: envFor(key) })
      expect(child).toMatchObject({ ...expected, reports: ['RATE_LIMITED'] })
      expect(await isSuspended(key)).toBe(true)
      expect(await usesOf(key)).toBe(1)
    }
  })
})

describe('a thread that alone has loaded the package', () => {
  const threadDoes = (source: string): string => `
    const { Worker } = require('node:worker_threads')
    const source = ${JSON.stringify(`
      const { parentPort } = require('node:worker_threads')
      const api = require(${JSON.stringify(root)})
      ;(async () => { ${verify()} parentPort.postMessage('used'); ${source} })()`)}
    const worker = new Worker(source, { eval: true }).on('error', () => {})
    await new Promise((resolve) => worker.once('message', resolve))`
  const ended = `await new Promise((resolve) => worker.once('exit', resolve))`
  const stay = 'setInterval(() => {}, 1_000)'
  const ends: [string, string, string, number][] = [
    ['returns', '', ended, 0],
    ['exits', 'process.exit(5)', ended, 0],
    ['throws', `throw new Error('Thrown')`, ended, 0],
    ['is terminated', stay, 'await worker.terminate()', 0],
    ['is alive when the process exits', stay, 'process.exit(3)', 3],
    ['never yields when it is terminated', 'for (;;);', 'await worker.terminate()', 0],
  ]
  test.each(ends)('and %s stores its usage', async (_, inThread, inMain, code) => {
    const key = await newKey()
    const child = await runScript(`${threadDoes(inThread)}; ${inMain}`, { env: envFor(key) })
    expect(child).toMatchObject({ code, signal: null, ...silent })
    expect(await usesOf(key)).toBe(USES)
  })
})
