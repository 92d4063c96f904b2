-- The app's own tables, in the shape that Prisma gives them; made here only where they are missing.
-- All else is added to them: nothing is dropped, renamed or rewritten, so that Prisma still reads them.
-- Indexes on tables that may be large are built concurrently, after the migrations (store/indexes.rs).

DO $$
BEGIN
  IF to_regclass('"ApiKey"') IS NULL THEN
    CREATE TABLE "ApiKey" (
      "id" TEXT NOT NULL,
      "key" TEXT NOT NULL,
      "clientId" TEXT NOT NULL,
      "name" TEXT NOT NULL,
      "description" TEXT,
      "isActive" BOOLEAN NOT NULL DEFAULT true,
      "expiresAt" TIMESTAMP(3),
      "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
      "updatedAt" TIMESTAMP(3) NOT NULL,
      "lastUsedAt" TIMESTAMP(3),
      "allowedIps" TEXT[] DEFAULT ARRAY[]::TEXT[],
      "rateLimit" INTEGER,
      "usageCount" BIGINT NOT NULL DEFAULT 0,
      CONSTRAINT "ApiKey_pkey" PRIMARY KEY ("id")
    );
    CREATE UNIQUE INDEX "ApiKey_key_key" ON "ApiKey" ("key");
    CREATE INDEX "ApiKey_clientId_idx" ON "ApiKey" ("clientId");
    CREATE INDEX "ApiKey_isActive_idx" ON "ApiKey" ("isActive");
    CREATE INDEX "ApiKey_expiresAt_idx" ON "ApiKey" ("expiresAt");
  END IF;

  IF to_regclass('"AdminToken"') IS NULL THEN
    CREATE TABLE "AdminToken" (
      "id" TEXT NOT NULL,
      "token" TEXT NOT NULL,
      "name" TEXT NOT NULL,
      "description" TEXT,
      "isActive" BOOLEAN NOT NULL DEFAULT true,
      "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
      "updatedAt" TIMESTAMP(3) NOT NULL,
      "lastUsedAt" TIMESTAMP(3),
      CONSTRAINT "AdminToken_pkey" PRIMARY KEY ("id")
    );
    CREATE UNIQUE INDEX "AdminToken_token_key" ON "AdminToken" ("token");
  END IF;
END
$$;

ALTER TABLE "ApiKey"
  -- Finds the row of a presented key. NULL: "key" still holds the plaintext of an old instance.
  ADD COLUMN IF NOT EXISTS "lookup" TEXT,
  ADD COLUMN IF NOT EXISTS "start" TEXT,
  ADD COLUMN IF NOT EXISTS "scopes" TEXT[] NOT NULL DEFAULT '{}',
  ADD COLUMN IF NOT EXISTS "metadata" JSONB,
  ADD COLUMN IF NOT EXISTS "rateLimitWindowSeconds" INTEGER,
  ADD COLUMN IF NOT EXISTS "suspendedUntil" TIMESTAMP(3),
  -- Raised to forgive what was used of the rate limit, in every process.
  ADD COLUMN IF NOT EXISTS "limiterEpoch" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS "previousKey" TEXT,
  ADD COLUMN IF NOT EXISTS "previousLookup" TEXT,
  ADD COLUMN IF NOT EXISTS "previousKeyExpiresAt" TIMESTAMP(3),
  -- Fingerprints of the signing keys behind the tags of both keys.
  ADD COLUMN IF NOT EXISTS "signingKey" TEXT,
  ADD COLUMN IF NOT EXISTS "previousSigningKey" TEXT,
  ADD COLUMN IF NOT EXISTS "coldDigest" BYTEA;

ALTER TABLE "AdminToken"
  ADD COLUMN IF NOT EXISTS "permissions" TEXT[],
  -- Digest of the token. NULL: "token" still holds the token of an old instance.
  ADD COLUMN IF NOT EXISTS "lookup" TEXT,
  ADD COLUMN IF NOT EXISTS "expiresAt" TIMESTAMP(3);

-- Widening rewrites the table under an exclusive lock: by itself only where that takes a moment.
DO $$
BEGIN
  IF (SELECT atttypid FROM pg_attribute
      WHERE attrelid = '"ApiKey"'::regclass AND attname = 'usageCount') = 'integer'::regtype
    AND (SELECT count(*) FROM (SELECT 1 FROM "ApiKey" LIMIT 100000) AS some_rows) < 100000
  THEN
    ALTER TABLE "ApiKey" ALTER COLUMN "usageCount" TYPE BIGINT;
  END IF;
END
$$;
