import { expect, test } from 'vitest'
import { root, run } from '../support/child.js'

test(
  'everything that the types declare is documented, and the reference has no dead links',
  { timeout: 120_000 },
  async () => {
    const typedoc = `${root}node_modules/typedoc/bin/typedoc`
    const { code, stderr } = await run([process.execPath, typedoc, '--emit', 'none'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  },
)
