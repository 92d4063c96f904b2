import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PHASE_DEVELOPMENT_SERVER, PHASE_PRODUCTION_BUILD } from 'next/constants.js'

const addon = '@sophra/api-keys'
const repository = fileURLToPath(new URL('../..', import.meta.url))
const standalone = fileURLToPath(new URL('.next/standalone', import.meta.url))

export default function config(phase) {
  const building = phase === PHASE_PRODUCTION_BUILD
  // The addon is linked from the root of this repository, so the last build's output holds a link
  // to its own root: a circle in which Next, which follows links to clean up, would lose its way.
  if (building || phase === PHASE_DEVELOPMENT_SERVER) {
    rmSync(standalone, { recursive: true, force: true })
  }

  /** @type {import('next').NextConfig} */
  return {
    // Also written by `next build`, and not for `next start`, which warns when it sees it.
    output: building ? 'standalone' : undefined,
    poweredByHeader: false,
    experimental: {
      serverComponentsExternalPackages: [addon],
      outputFileTracingRoot: repository,
      // `instrumentation.ts`; from Next 15 on without this line.
      instrumentationHook: true,
    },
    webpack(webpack, { isServer }) {
      // Next 14 bundles a linked package, external or not, and no bundler can load a native binary.
      // An app that installs the addon from npm needs only the line above.
      const external = (name) => ({ [name]: `commonjs ${name}` })
      if (isServer) webpack.externals.push(external(addon), external(`${addon}/next`))
      return webpack
    },
  }
}
