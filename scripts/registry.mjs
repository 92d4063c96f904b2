/** A registry for npm that serves the packages of this repository before they are published. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const npm = fileURLToPath(new URL('../npm', import.meta.url))

/**
 * Starts the registry. It lists the packages of all platforms, so that npm chooses among them as it will after publication. It
 * serves only the given tarballs.
 *
 * @param {string[]} tarballs the paths of the tarballs
 * @returns {Promise<{ url: string, stop(): Promise<void> }>}
 */
export async function startRegistry(tarballs) {
  const packages = new Map([...platforms(), ...tarballs.map(published)])
  const files = new Map(tarballs.map((file) => [path.basename(file), file]))
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url.slice(1))
    if (files.has(name)) return response.end(readFileSync(files.get(name)))
    const found = packages.get(name)
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
    return response.end(JSON.stringify(found ? packument(found, url()) : {}))
  })
  const url = () => `http://127.0.0.1:${server.address().port}`
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: url(), stop }
}

function platforms() {
  return readdirSync(npm).map((name) => {
    const manifest = JSON.parse(readFileSync(path.join(npm, name, 'package.json'), 'utf8'))
    return [manifest.name, { manifest, file: 'not-packed.tgz' }]
  })
}

function published(tarball) {
  const [cwd, file] = [path.dirname(tarball), path.basename(tarball)]
  const manifest = JSON.parse(execFileSync('tar', ['-xzOf', file, 'package/package.json'], { cwd }))
  const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
  return [manifest.name, { manifest, file, integrity }]
}

function packument({ manifest, file, integrity }, url) {
  const { name, version } = manifest
  const dist = { tarball: `${url}/${file}`, integrity }
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
