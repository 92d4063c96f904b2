-- The tables of the app, in the shape that Prisma gives them, created only where they do not exist. Existing ones stay as
-- they are: no migration drops, renames or rewrites anything in them, so that Prisma can still read them. An INTEGER
-- "usageCount" stays INTEGER, because widening it would rewrite the table under an exclusive lock.

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
