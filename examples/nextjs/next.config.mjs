import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PHASE_DEVELOPMENT_SERVER, PHASE_PRODUCTION_BUILD } from 'next/constants.js'

const addon = '@sophra/api-keys'
const repository = fileURLToPath(new URL('../..', import.meta.url))
const standalone = fileURLToPath(new URL('.next/standalone', import.meta.url))

export default function config(phase) {
  const building = phase === PHASE_PRODUCTION_BUILD
  // The package is linked to the root of this repository, so the output of the last build holds a link to a folder that holds
  // it. Next.js follows links when it cleans up, and would never come to an end.
  if (building || phase === PHASE_DEVELOPMENT_SERVER) {
    rmSync(standalone, { recursive: true, force: true })
  }

  /** @type {import('next').NextConfig} */
  return {
    // Only for `next build`: `next start` warns about this setting.
    output: building ? 'standalone' : undefined,
    poweredByHeader: false,
    experimental: {
      serverComponentsExternalPackages: [addon],
      outputFileTracingRoot: repository,
      // The command line, which no route imports. An app that installs the package from npm names
      // './node_modules/@sophra/api-keys/**/*.js'.
      outputFileTracingIncludes: { '/api/keys': ['../../*.js', '../../lib/**/*.js'] },
    },
    webpack(webpack, { isServer }) {
      // Next.js 14 bundles a linked package even if it is declared external, and no bundler can load a native binary. An app
      // that installs the package from npm needs only `serverComponentsExternalPackages`.
      const external = (name) => ({ [name]: `commonjs ${name}` })
      const parts = [addon, `${addon}/next`, `${addon}/console`]
      if (isServer) webpack.externals.push(...parts.map(external))
      return webpack
    },
  }
}
