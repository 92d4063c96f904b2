import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['vitest/**/*.test.mjs'],
    globalSetup: 'vitest/setup.mjs',
    // Each file gets a process: files that run in one process at the same time would share the addon's state.
    pool: 'forks',
  },
})
