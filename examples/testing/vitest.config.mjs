import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['vitest/**/*.test.mjs'],
    globalSetup: 'vitest/setup.mjs',
    // A process for each file: files that run at the same time in one process would share the addon's state.
    pool: 'forks',
  },
})
