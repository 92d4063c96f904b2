import { defineConfig } from 'vitest/config'

/** The packed tarballs with what is large to install: `npm run consumers`, after `npm run build`. */
export default defineConfig({
  test: {
    include: ['__test__/package/next/**/*.test.ts'],
    globalSetup: '__test__/support/global-setup.ts',
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 10 * 60_000,
    hookTimeout: 15 * 60_000,
  },
})
