import { defineConfig } from 'vitest/config'

/** The pictures of the documentation: `npm run screenshots`. */
export default defineConfig({
  test: {
    include: ['__test__/browser/screenshots/*.test.ts'],
    globalSetup: '__test__/support/global-setup.ts',
    pool: 'forks',
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
})
