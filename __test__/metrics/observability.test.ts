import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Counter, register } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { root } from '../support/child.js'
import { promtool, promtoolVersion } from '../support/prometheus.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, metrics, verifyApiKey } = addon

useAddon({ metricsClients: 50 })

const example = (name: string): string => join(root, 'examples/observability', name)
const text = (name: string): string => readFileSync(example(name), 'utf8')

/** All that there is to tell: the addon is started, and clients are told apart. */
async function everything(): Promise<string> {
  for (const clientId of ['acme', String.raw`"\ und Söhne`]) {
    const { key } = await createApiKey({ name: 'n', clientId })
    await verifyApiKey(key)
  }
  return metrics()
}

const version = promtoolVersion()
if (!version) console.warn('promtool is not on the PATH: its checks are skipped')

describe.skipIf(!version)('promtool (needs promtool on the PATH)', () => {
  test('reads the metrics, and finds nothing to complain about', async () => {
    expect(promtool(['check', 'metrics'], await everything())).toEqual({ code: 0, output: '' })
  })

  test('reads them beside those of prom-client too', async () => {
    new Counter({ name: 'app_orders_total', help: 'Orders.' }).inc(3)
    const joined = (await register.metrics()) + (await everything())
    expect(joined).toContain('app_orders_total 3\n')
    expect(promtool(['check', 'metrics'], joined)).toEqual({ code: 0, output: '' })
  })

  test('complains where there is something', async () => {
    const broken = `${await everything()}sophra_api_key_more{client="a\nb"} 1\n`
    expect(promtool(['check', 'metrics'], broken).code).not.toBe(0)
  })

  test('accepts the alert rules, which speak when they should', () => {
    const checked = promtool(['check', 'rules', example('alerts.yml')])
    expect(checked.code, checked.output).toBe(0)
    const tested = promtool(['test', 'rules', example('alerts.test.yml')])
    expect(tested.code, tested.output).toBe(0)
  })

  test('can read every query of the dashboard', () => {
    const queries = [...text('grafana-dashboard.json').matchAll(/"expr": (".+")/g)].map(
      ([, expr], n) => `{ record: query${n}, expr: ${expr!.replaceAll('$__rate_interval', '5m')} }`,
    )
    expect(queries.length).toBeGreaterThan(20)
    const folder = mkdtempSync(join(tmpdir(), 'dashboard-'))
    const rules = join(folder, 'rules.yml')
    writeFileSync(rules, `groups: [{ name: dashboard, rules: [${queries.join(', ')}] }]`)
    const { code, output } = promtool(['check', 'rules', rules])
    rmSync(folder, { recursive: true })
    expect(code, output).toBe(0)
    expect(output).toContain(`${queries.length} rules found`)
  })
})

describe.each(['alerts.yml', 'grafana-dashboard.json'])('%s', (file) => {
  test('asks for what there is', async () => {
    const known = [...(await everything()).matchAll(/^(sophra_api_key_\w+)/gm)].map(
      ([, name]) => name!,
    )
    const asked = new Set(text(file).match(/sophra_api_key_\w+/g))
    expect(asked.size).toBeGreaterThan(10)
    expect([...asked].filter((name) => !known.includes(name))).toEqual([])
  })
})

test('the dashboard shows every metric', async () => {
  const names = [...(await everything()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!)
  const dashboard = text('grafana-dashboard.json')
  expect(names.filter((name) => !dashboard.includes(name))).toEqual([])
})
