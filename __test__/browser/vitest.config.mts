import { defineConfig } from 'vitest/config'

/** The console in a real browser: `npm run browser`, after `npm run build` and `npm run build:console`. */
export default defineConfig({
  test: {
    include: ['__test__/browser/*.test.ts'],
    globalSetup: '__test__/support/global-setup.ts',
    pool: 'forks',
    // A browser keeps a core busy, and the server the other one.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
