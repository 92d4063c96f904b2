import { defineConfig } from 'vitest/config'

/** The packages as users get them, installed in projects of their own: `npm run consumers`, after `npm run build:portable`. */
export default defineConfig({
  test: {
    include: ['__test__/package/consumers/**/*.test.ts'],
    globalSetup: '__test__/support/global-setup.ts',
    pool: 'forks',
    fileParallelism: false,
    env: { ADDONS: 'portable' },
    testTimeout: 10 * 60_000,
    hookTimeout: 15 * 60_000,
  },
})
