import { leakRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

const GITHUB = 'https://api.github.com/meta/public_keys/secret_scanning'

/** The keys with which GitHub signs. */
async function keys() {
  const response = await fetch(process.env.GITHUB_KEYS_URL || GITHUB, { cache: 'no-store' })
  if (!response.ok)
    throw new Error(`The list of GitHub's keys was answered with ${response.status}`)
  const { public_keys } = await response.json()
  return public_keys
}

/** GitHub reports the keys that it finds in public repositories. They are revoked. */
export const { POST } = leakRoutes({ keys })
