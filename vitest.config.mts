import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['__test__/**/*.test.ts'],
    exclude: [
      '__test__/soak/**',
      '__test__/browser/**',
      '__test__/package/consumers/**',
      '**/node_modules/**',
    ],
    globalSetup: '__test__/support/global-setup.ts',
    // The addon's state belongs to a process: each file gets one of its own.
    pool: 'forks',
    // A test mostly waits for the database, so two at a time keep two cores busy.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
