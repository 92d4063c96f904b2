import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { platforms, type Packed } from './packed.js'

export interface Registry {
  url: string
  stop(): Promise<void>
}

/**
 * What npm asks a registry about the packages of this repository. All platforms are there, as they will be published, so
 * that npm chooses among them; the tarball of one that is not packed cannot be had.
 */
export async function startRegistry(packed: Packed[]): Promise<Registry> {
  const server = createServer((request, response) => {
    const asked = decodeURIComponent(request.url!.slice(1))
    const tarball = packed.find(({ file }) => path.basename(file) === asked)
    if (tarball) return response.end(readFileSync(tarball.file))
    const document = packument(asked, packed, url())
    response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' })
    return response.end(JSON.stringify(document ?? {}))
  })
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: url(), stop }
}

function packument(name: string, packed: Packed[], url: string): object | undefined {
  const tarball = packed.find((one) => one.name === name)
  const manifest = tarball?.manifest ?? platforms.find((one) => one.name === name)
  if (!manifest) return undefined
  const { version } = manifest
  const dist = tarball
    ? { tarball: `${url}/${path.basename(tarball.file)}`, integrity: integrityOf(tarball.file) }
    : { tarball: `${url}/not-packed-here.tgz` }
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}

function integrityOf(file: string): string {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
}
