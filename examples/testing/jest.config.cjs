module.exports = {
  testMatch: ['<rootDir>/jest/**/*.test.cjs'],
  globalSetup: '<rootDir>/jest/setup.cjs',
  globalTeardown: '<rootDir>/jest/teardown.cjs',
  transform: {},
}
