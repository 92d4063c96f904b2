import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { links } from '../docs/markdown.js'
import { root } from '../support/child.js'
import { platforms, usePacked } from './support/packed.js'

const packed = usePacked()
const KB = 1000

/** The pages of the console, which a build writes. */
const PAGES = 'lib/console/files/'

/** The files that a user downloads. A new file is a decision: add it here. */
const MAIN = [
  'LICENSE',
  'README.md',
  'index.d.ts',
  'index.js',
  'lib/addon.js',
  'lib/admin-tokens.js',
  'lib/cli/addon.js',
  'lib/cli/admin-tokens/create.js',
  'lib/cli/admin-tokens/list.js',
  'lib/cli/admin-tokens/revoke.js',
  'lib/cli/admin-tokens/rotate.js',
  'lib/cli/admin-tokens/token.js',
  'lib/cli/audit.js',
  'lib/cli/check.js',
  'lib/cli/clients/client.js',
  'lib/cli/clients/delete.js',
  'lib/cli/clients/fields.js',
  'lib/cli/clients/get.js',
  'lib/cli/clients/list.js',
  'lib/cli/clients/set.js',
  'lib/cli/commands.js',
  'lib/cli/console/link.js',
  'lib/cli/doctor.js',
  'lib/cli/errors.js',
  'lib/cli/export.js',
  'lib/cli/fields.js',
  'lib/cli/health.js',
  'lib/cli/help.js',
  'lib/cli/import.js',
  'lib/cli/import/columns.js',
  'lib/cli/import/csv.js',
  'lib/cli/import/lines.js',
  'lib/cli/import/presets.js',
  'lib/cli/import/table.js',
  'lib/cli/import/values.js',
  'lib/cli/input.js',
  'lib/cli/keys/beginning.js',
  'lib/cli/keys/create.js',
  'lib/cli/keys/fields.js',
  'lib/cli/keys/find.js',
  'lib/cli/keys/list.js',
  'lib/cli/keys/report-leaked.js',
  'lib/cli/keys/restore.js',
  'lib/cli/keys/revoke.js',
  'lib/cli/keys/rotate.js',
  'lib/cli/keys/show.js',
  'lib/cli/keys/update.js',
  'lib/cli/keys/verify.js',
  'lib/cli/limits.js',
  'lib/cli/main.js',
  'lib/cli/migrate.js',
  'lib/cli/not-found.js',
  'lib/cli/output.js',
  'lib/cli/pages.js',
  'lib/cli/parse.js',
  'lib/cli/quotas/get.js',
  'lib/cli/quotas/grant.js',
  'lib/cli/quotas/quota.js',
  'lib/cli/roles/delete.js',
  'lib/cli/roles/list.js',
  'lib/cli/roles/set.js',
  'lib/cli/run.js',
  'lib/cli/suggestion.js',
  'lib/cli/token-keys/list.js',
  'lib/cli/token-keys/rotate.js',
  'lib/cli/usage/export.js',
  'lib/cli/usage/show.js',
  'lib/cli/values.js',
  'lib/cli/webhooks/delete.js',
  'lib/cli/webhooks/deliveries.js',
  'lib/cli/webhooks/fields.js',
  'lib/cli/webhooks/list.js',
  'lib/cli/webhooks/redeliver.js',
  'lib/cli/webhooks/set.js',
  'lib/client-fields.js',
  'lib/cold.js',
  'lib/console.d.ts',
  'lib/console.js',
  'lib/console/ask.js',
  'lib/console/csv.js',
  'lib/console/data.js',
  'lib/console/exports.js',
  'lib/console/files.js',
  'lib/console/headers.js',
  'lib/console/link.js',
  'lib/console/origin.js',
  'lib/console/overview.js',
  'lib/console/place.js',
  'lib/console/routes.js',
  'lib/console/session.js',
  'lib/console/throttle.js',
  'lib/constants.js',
  'lib/dates.js',
  'lib/derived-tokens.js',
  'lib/edge.d.ts',
  'lib/edge.js',
  'lib/errors.js',
  'lib/events.js',
  'lib/exit.js',
  'lib/guard/answers.js',
  'lib/guard/client.js',
  'lib/guard/cors.js',
  'lib/guard/key-guard.js',
  'lib/guard/node.js',
  'lib/guard/options.js',
  'lib/guard/presented-key.js',
  'lib/guard/problem.js',
  'lib/guard/rate-limit.js',
  'lib/guard/refusals.js',
  'lib/key-fields.js',
  'lib/key-filters.js',
  'lib/leak-reports.js',
  'lib/lists.js',
  'lib/next/admin-token-routes.js',
  'lib/next/admin.js',
  'lib/next/api-key.js',
  'lib/next/body.js',
  'lib/next/client-key-routes.js',
  'lib/next/client-routes.js',
  'lib/next/key-owner.js',
  'lib/next/leak-routes.js',
  'lib/next/list.js',
  'lib/next/origin.js',
  'lib/next/presented-key-routes.js',
  'lib/next/prisma-compat.js',
  'lib/next/quota-routes.js',
  'lib/next/requests.js',
  'lib/next/responses.js',
  'lib/next/revocation-routes.js',
  'lib/next/role-routes.js',
  'lib/next/routes.js',
  'lib/next/signing-keys.js',
  'lib/next/token-routes.js',
  'lib/next/usage-routes.js',
  'lib/next/view.js',
  'lib/next/webhook-routes.js',
  'lib/own-keys.js',
  'lib/react-texts.js',
  'lib/react.css',
  'lib/react.css.d.ts',
  'lib/react.d.ts',
  'lib/react.js',
  'lib/servers/express.d.ts',
  'lib/servers/express.js',
  'lib/servers/fastify.d.ts',
  'lib/servers/fastify.js',
  'lib/servers/hono.d.ts',
  'lib/servers/hono.js',
  'lib/servers/koa.d.ts',
  'lib/servers/koa.js',
  'lib/servers/nest.d.ts',
  'lib/servers/nest.js',
  'lib/servers/node.d.ts',
  'lib/servers/node.js',
  'lib/templates.js',
  'lib/warm.js',
  'lib/webhooks.js',
  'native.js',
  'next.d.ts',
  'next.js',
  'package.json',
]

describe('the main package', () => {
  test('has these files and no others', () => {
    const files = packed()[0]!.files.filter((file) => !file.startsWith(PAGES))
    expect(files).toEqual(MAIN)
  })

  test('has the pages of the console, each file with a hash in its name', () => {
    const pages = packed()[0]!.files.filter((file) => file.startsWith(PAGES))
    expect(pages).toContain(`${PAGES}index.html`)
    const named = /^assets\/[\w.-]+-[\w-]{8,}\.(js|css|svg|woff2|png)$/
    for (const file of pages.filter((file) => !file.endsWith('/index.html')))
      expect(file.slice(PAGES.length)).toMatch(named)
    expect(pages.some((file) => file.endsWith('.map'))).toBe(false)
  })

  // `pack` fails if it is larger without these pages than 160 KB, or if they are larger than they may be.
  test('is small', () => {
    expect(packed()[0]!.size).toBeLessThanOrEqual(360 * KB)
  })

  test('installs nothing else and runs nothing', () => {
    const {
      dependencies,
      peerDependencies,
      peerDependenciesMeta,
      scripts = {},
    } = packed()[0]!.manifest
    expect(dependencies).toBeUndefined()
    // Frameworks that an app may have. npm installs no optional peer.
    const frameworks = ['@nestjs/common', 'express', 'fastify', 'hono', 'koa', 'react']
    expect(Object.keys(peerDependencies as object).sort()).toEqual(frameworks)
    const optional = frameworks.map((name) => [name, { optional: true }])
    expect(peerDependenciesMeta).toEqual(Object.fromEntries(optional))
    const installs = /^(pre|post)?(install|prepare)$/
    expect(Object.keys(scripts as object).filter((name) => installs.test(name))).toEqual([])
  })

  test('depends on each platform, at its own version', () => {
    const { version, optionalDependencies } = packed()[0]!.manifest
    const names = platforms.map(({ name }) => [name, version])
    expect(optionalDependencies).toEqual(Object.fromEntries(names))
  })
})

describe('the page of the package', () => {
  const { homepage, bugs, repository, version } = JSON.parse(
    readFileSync(path.join(root, 'package.json'), 'utf8'),
  ) as Record<string, any>

  test('says where the source is, and where to report', () => {
    const url = /^git\+(https:\/\/github\.com\/.+)\.git$/.exec(repository.url)![1]
    expect({ homepage, bugs }).toEqual({
      homepage: `${url}#readme`,
      bugs: { url: `${url}/issues` },
    })
    expect(readFileSync(path.join(root, 'SECURITY.md'), 'utf8')).toContain(
      `${url}/security/advisories/new`,
    )
    for (const { manifest } of packed()) {
      expect(manifest).toMatchObject({ homepage, bugs })
      expect(manifest.repository.url).toMatch(/^git\+https:/)
    }
  })

  test('has no link that leads nowhere', () => {
    const { file, manifest } = packed()[0]!
    const readme = execFileSync('tar', ['-xzOf', file, 'package/README.md'], { encoding: 'utf8' })
    const base = `${manifest.repository.url.replace(/^git\+|\.git$/g, '')}/blob/v${version}/`
    const found = links(readme)
    expect(found.length).toBeGreaterThan(20)
    for (const link of found) {
      expect(link).toMatch(/^(https:|#)/)
      if (!link.startsWith(base)) continue
      const [target] = link.slice(base.length).split('#')
      expect([target, existsSync(path.join(root, target!))]).toEqual([target, true])
    }
  })
})

describe('the package of a platform', () => {
  test('has the addon, and what npm wants', () => {
    // At least the machine that runs this test has one.
    expect(packed().length).toBeGreaterThan(1)
    for (const { files, manifest } of packed().slice(1))
      expect(files).toEqual(['LICENSE', 'README.md', 'package.json', manifest.main])
  })

  test('is there for each target, and says for which machines', () => {
    const { napi } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      napi: { targets: string[] }
    }
    const machines = platforms.map(({ name, os, cpu, libc, main }) => ({
      name,
      os,
      cpu,
      libc,
      main,
    }))
    expect(machines).toEqual(napi.targets.map(machineOf).sort((a, b) => (a.name < b.name ? -1 : 1)))
  })

  test('is of one version with the main package and the crate', () => {
    const { version } = packed()[0]!.manifest
    const [, crate] = /^version = "(.+)"$/m.exec(
      readFileSync(path.join(root, 'Cargo.toml'), 'utf8'),
    )!
    expect(new Set([crate, ...platforms.map((platform) => platform.version)])).toEqual(
      new Set([version]),
    )
  })

  test('is one that the loader looks for', () => {
    const loader = readFileSync(path.join(root, 'native.js'), 'utf8')
    for (const { name, main } of platforms) {
      expect(loader).toContain(`require('${name}')`)
      expect(loader).toContain(`require('./${main}')`)
    }
  })
})

/** The conventions of @napi-rs/cli. */
function machineOf(target: string) {
  const [arch, , system, abi] = target.split('-') as [string, string, string, string?]
  const os = system === 'windows' ? 'win32' : system
  const cpu = arch === 'x86_64' ? 'x64' : 'arm64'
  const platform = [os, cpu, abi].filter(Boolean).join('-')
  return {
    name: `@sophra/api-keys-${platform}`,
    os: [os],
    cpu: [cpu],
    libc: os === 'linux' ? [abi === 'gnu' ? 'glibc' : 'musl'] : undefined,
    main: `sophra-api-keys.${platform}.node`,
  }
}
