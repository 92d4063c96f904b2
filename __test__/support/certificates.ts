import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  cert: string
  key: string
}

/** Makes certificates with openssl, in a folder that is removed at the end. */
export class Authority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  /** The file with the authority's own certificate. */
  readonly cert: string
  private readonly key: string
  private count = 0

  constructor(name = 'Authority of the tests') {
    chmodSync(this.folder, 0o755)
    this.cert = join(this.folder, 'ca.crt')
    this.key = join(this.folder, 'ca.key')
    this.openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', `/CN=${name}`, '-days', '2', '-keyout', this.key, '-out', this.cert],
    )
  }

  /** A certificate for these names, such as `DNS:localhost`. */
  issue(names: string, days = '2'): Certificate {
    const path = join(this.folder, String(++this.count))
    const [cert, key, request, extensions] = ['crt', 'key', 'csr', 'ext'].map(
      (ending) => `${path}.${ending}`,
    ) as [string, string, string, string]
    writeFileSync(extensions, `subjectAltName=${names}\n`)
    this.openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', '/CN=server', '-keyout', key, '-out', request],
    )
    this.openssl(
      ...['x509', '-req', '-in', request, '-CA', this.cert, '-CAkey', this.key, '-CAcreateserial'],
      ...['-days', days, '-extfile', extensions, '-out', cert],
    )
    return { cert, key }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'ignore' })
  }
}
