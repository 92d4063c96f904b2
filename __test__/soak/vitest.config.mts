import { defineConfig } from 'vitest/config'

/** The tests that take long: `npm run soak`, after `npm run build`. */
export default defineConfig({
  test: {
    include: ['__test__/soak/**/*.test.ts'],
    globalSetup: '__test__/support/global-setup.ts',
    pool: 'forks',
    // One measurement at a time.
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
  },
})
