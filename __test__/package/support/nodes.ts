import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll } from 'vitest'

/** Node.js of other versions than this one, as npm has them: the package is nothing but the executable. */
export function useNodes(...versions: string[]): (version: string) => string {
  const home = mkdtempSync(path.join(tmpdir(), 'nodes-'))
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const folder = (version: string) => path.join(home, version)
  beforeAll(() => {
    for (const version of versions) {
      mkdirSync(folder(version))
      const args = ['install', '--prefix', folder(version), '--no-audit', '--no-fund']
      execFileSync('npm', [...args, '--prefer-offline', '--loglevel=error', `${name}@${version}`])
    }
  })
  afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))
  return (version) => path.join(folder(version), 'node_modules', name, 'bin/node')
}
