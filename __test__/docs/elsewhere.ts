// What `examples.test.ts` does not try itself. Each entry must fit exactly one block, or one command.

import { jwt } from '../support/jwt.js'
import { prismaTables } from '../support/prisma-tables.js'

/** The secret of the environment in which the commands run. */
export const JWT_SECRET = 'a secret of the documentation, of 32 bytes or more'

/** An admin token of an older implementation. */
const oldToken = (name: string, secret: string): string =>
  jwt({ alg: 'HS256' }, { type: 'admin', name, iat: 1_600_000_000, exp: 4_000_000_000 }, secret)

/** SQL that prepares the database for the commands of a page: for example the tables of an app that moves over. */
export const PREPARED: Record<string, string> = {
  'docs/moving-over.md': prismaTables,
  'docs/guides/legacy-keys.md': `${prismaTables};
    INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "rateLimit") VALUES
      ('clq1', 'too short', 'acme', 'Search', now(), NULL),
      ('clq2', 'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g', 'acme', 'Mobile', now(), 100);
    INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt")
    VALUES ('adm1', '${oldToken('prod-api-1', JWT_SECRET)}', 'prod-api-1', now()),
      ('adm2', '${oldToken('prod-api-2', 'another secret')}', 'prod-api-2', now())`,
}

/** Blocks that a test of their own tries. */
export interface Elsewhere {
  page: string
  language: string
  /** How the block begins. */
  begins: string
  /** The test that tries it. */
  test: string
}

export const ELSEWHERE: Elsewhere[] = [
  ...["'use client'\nimport { ApiKeys }", "'use client'\nimport { useState }"].map((begins) => ({
    page: 'docs/guides/customer-keys.md',
    language: 'tsx',
    begins,
    test: '__test__/docs/customer-keys.test.ts',
  })),
  {
    page: 'docs/guides/customer-keys.md',
    language: 'css',
    begins: '.account {',
    test: '__test__/docs/customer-keys.test.ts',
  },
  {
    page: 'docs/guides/servers.md',
    language: 'ts',
    begins: 'import { verifyApiKey, type Verification }',
    test: '__test__/package/consumers/next.test.ts',
  },
  {
    page: 'docs/guides/servers.md',
    language: 'ts',
    begins: "'use server'",
    test: '__test__/package/consumers/next.test.ts',
  },
  {
    page: 'docs/guides/tokens-in-other-languages.md',
    language: 'python',
    begins: 'import os',
    test: '__test__/derived-tokens/languages.test.ts',
  },
  {
    page: 'docs/concepts/key-format.md',
    language: 'text',
    begins: '<prefix>_',
    test: '__test__/docs/facts.test.ts',
  },
  {
    page: 'docs/concepts/key-format.md',
    language: 'text',
    begins: 'sophra_live_000000000000',
    test: '__test__/docs/facts.test.ts',
  },
  {
    page: 'docs/concepts/key-format.md',
    language: 'text',
    begins: 'sophra_(live|test)_',
    test: '__test__/docs/facts.test.ts',
  },
  {
    page: 'docs/guides/leaked-keys.md',
    language: 'text',
    begins: '\\bsophra_(live|test)_',
    test: '__test__/docs/facts.test.ts',
  },
  {
    page: 'docs/guides/leaked-keys.md',
    language: 'toml',
    begins: '[extend]',
    test: '__test__/docs/facts.test.ts',
  },
  {
    page: 'docs/deploy/docker.md',
    language: 'js',
    begins: "export default {\n  output: 'standalone'",
    test: '__test__/package/next-14.test.ts',
  },
  {
    page: 'docs/deploy/docker.md',
    language: 'bash',
    begins: 'node node_modules/@sophra/api-keys/lib/cli/main.js',
    test: '__test__/package/next-14.test.ts',
  },
  {
    page: 'docs/moving-over.md',
    language: 'bash',
    begins: 'npx @sophra/api-keys doctor',
    test: '__test__/docs/moving-over.test.ts',
  },
  {
    page: 'docs/guides/importing-keys.md',
    language: 'bash',
    begins: 'npx @sophra/api-keys import --from better-auth',
    test: '__test__/better-auth/better-auth.test.ts',
  },
  {
    page: 'docs/guides/importing-keys.md',
    language: 'csv',
    begins: 'clientId,name',
    test: '__test__/cli/import-csv.test.ts',
  },
  {
    page: 'docs/guides/importing-keys.md',
    language: 'bash',
    begins: 'npx @sophra/api-keys import --from csv',
    test: '__test__/cli/import-csv.test.ts',
  },
  {
    page: 'docs/guides/importing-keys.md',
    language: 'bash',
    begins: 'npx @sophra/api-keys export',
    test: '__test__/cli/import.test.ts',
  },
  {
    page: 'docs/moving-over.md',
    language: 'ts',
    begins: "import { expect, test, vi } from 'vitest'",
    test: '__test__/moving-over/guarded-handlers.test.ts',
  },
  {
    page: 'docs/moving-over.md',
    language: 'sql',
    begins: 'BEGIN;',
    test: '__test__/docs/moving-over.test.ts',
  },
  {
    page: 'docs/moving-over.md',
    language: 'sql',
    begins: 'ALTER TABLE "ApiKey" RESET (fillfactor)',
    test: '__test__/docs/moving-over.test.ts',
  },
  {
    page: 'docs/deploy/managed-postgres.md',
    language: 'sql',
    begins: '-- As an administrator.',
    test: '__test__/docs/grants.test.ts',
  },
  {
    page: 'docs/deploy/managed-postgres.md',
    language: 'sql',
    begins: '-- As the owner, after the migration.',
    test: '__test__/docs/grants.test.ts',
  },
  {
    page: 'docs/deploy/prisma.md',
    language: 'prisma',
    begins: 'model ApiKey {',
    test: '__test__/prisma/prisma.test.ts',
  },
  {
    page: 'docs/deploy/prisma.md',
    language: 'bash',
    begins: 'mkdir -p prisma/migrations',
    test: '__test__/cli/migrate.test.ts',
  },
  {
    page: 'README.md',
    language: 'bash',
    begins: "curl 'http://localhost:3000/api/search?q=shoes'",
    test: '__test__/http/tour.test.ts',
  },
  {
    page: 'docs/quick-start/nextjs.md',
    language: 'bash',
    begins: 'npx next dev',
    test: '__test__/package/next-14.test.ts',
  },
  {
    page: 'docs/quick-start/nextjs.md',
    language: 'bash',
    begins: 'curl -H "x-api-key: $(cat key.txt)" http://localhost:3000/api/hello',
    test: '__test__/package/next-14.test.ts',
  },
  {
    page: 'docs/quick-start/nextjs.md',
    language: 'js',
    begins: 'export default {\n  serverExternalPackages',
    test: '__test__/package/consumers/next.test.ts',
  },
  {
    page: 'docs/quick-start/nextjs.md',
    language: 'js',
    begins: 'export default {\n  experimental',
    test: '__test__/package/next-14.test.ts',
  },
  {
    page: 'docs/quick-start/nextjs.md',
    language: 'tsx',
    begins: "import { listApiKeys } from '@sophra/api-keys'",
    test: '__test__/package/consumers/create-next-app.test.ts',
  },
  {
    page: 'docs/quick-start/nextjs.md',
    language: 'ts',
    begins: "'use server'",
    test: '__test__/package/consumers/create-next-app.test.ts',
  },
  {
    page: 'docs/deploy/serverless.md',
    language: 'ts',
    begins: "import { flush } from '@sophra/api-keys'\nimport { withApiKey }",
    test: '__test__/package/consumers/next.test.ts',
  },
]

/** Blocks and commands that no test can try, and why. */
export interface Untried {
  page: string
  /** A block: how it begins. A command: its line. */
  begins: string
  because: string
}

export const UNTRIED: Untried[] = [
  {
    page: 'docs/guides/tokens-in-other-languages.md',
    begins: 'package tokens',
    because: 'There is no Go where the tests run.',
  },
  {
    page: 'docs/guides/tokens-in-other-languages.md',
    begins: 'import com.nimbusds',
    because: 'There are no Java libraries where the tests run.',
  },
  {
    page: 'docs/deploy/docker.md',
    begins: 'FROM node:',
    because: 'There is no Docker where the tests run.',
  },
  {
    page: 'docs/deploy/docker.md',
    begins: 'node_modules\n.env',
    because: 'There is no Docker where the tests run.',
  },
  {
    page: 'README.md',
    begins: 'npm start',
    because: 'It builds and serves until it is stopped; what it prints is tried by the tour.',
  },
  {
    page: 'docs/benchmarks.md',
    begins: 'npm run bench',
    because: 'It takes minutes, and its figures are those of a machine that does nothing else.',
  },
  { page: 'README.md', begins: 'npm test', because: 'It is what runs this.' },
]
