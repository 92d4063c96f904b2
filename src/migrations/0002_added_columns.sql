-- What this package adds to the tables of the app. Each column is nullable or has a constant default, so that no row is
-- rewritten. Indexes on these tables, which may be large, are built concurrently after the migrations.

ALTER TABLE "ApiKey"
  -- Finds the row of a presented key. NULL marks a legacy row: its "key" is still the plaintext.
  ADD COLUMN IF NOT EXISTS "lookup" TEXT,
  ADD COLUMN IF NOT EXISTS "start" TEXT,
  -- The actor who created the key; NULL where nobody was named.
  ADD COLUMN IF NOT EXISTS "createdBy" TEXT,
  ADD COLUMN IF NOT EXISTS "scopes" TEXT[] NOT NULL DEFAULT '{}',
  -- NULL: pages of any origin may use the key.
  ADD COLUMN IF NOT EXISTS "origins" TEXT[],
  -- Names of sets of scopes that it holds too.
  ADD COLUMN IF NOT EXISTS "roles" TEXT[] NOT NULL DEFAULT '{}',
  ADD COLUMN IF NOT EXISTS "metadata" JSONB,
  ADD COLUMN IF NOT EXISTS "rateLimitWindowSeconds" INTEGER,
  -- Further limits: [{ "name", "limit", "windowSeconds", "suspends" }]. NULL: none.
  ADD COLUMN IF NOT EXISTS "limits" JSONB,
  -- Quotas: [{ "name", "amount", "period", "timeZone", "anchorDay" }]. NULL: none.
  ADD COLUMN IF NOT EXISTS "quotas" JSONB,
  ADD COLUMN IF NOT EXISTS "suspendedUntil" TIMESTAMP(3),
  -- When the key was revoked; NULL: it is not. A revoked key also has "isActive" false, so that older versions of this package
  -- and other readers of the row refuse it too.
  ADD COLUMN IF NOT EXISTS "revokedAt" TIMESTAMP(3),
  -- The actor who revoked the key; NULL where nobody was named.
  ADD COLUMN IF NOT EXISTS "revokedBy" TEXT,
  ADD COLUMN IF NOT EXISTS "revokedReason" TEXT,
  -- "isActive" before the key was revoked, which restoring it puts back.
  ADD COLUMN IF NOT EXISTS "wasActive" BOOLEAN,
  -- Incremented to reset the rate limit of the key in every process.
  ADD COLUMN IF NOT EXISTS "limiterEpoch" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS "previousKey" TEXT,
  ADD COLUMN IF NOT EXISTS "previousLookup" TEXT,
  ADD COLUMN IF NOT EXISTS "previousKeyExpiresAt" TIMESTAMP(3),
  -- Fingerprints of the signing keys that made the tags of the current and the previous key.
  ADD COLUMN IF NOT EXISTS "signingKey" TEXT,
  ADD COLUMN IF NOT EXISTS "previousSigningKey" TEXT,
  -- Digests of the current and the previous key, under a secret that is not in the database. NULL: none was made.
  ADD COLUMN IF NOT EXISTS "coldDigest" BYTEA,
  ADD COLUMN IF NOT EXISTS "previousColdDigest" BYTEA;

ALTER TABLE "AdminToken"
  ADD COLUMN IF NOT EXISTS "permissions" TEXT[],
  -- The digest of the token. NULL marks a legacy row: its "token" is still the plaintext.
  ADD COLUMN IF NOT EXISTS "lookup" TEXT,
  ADD COLUMN IF NOT EXISTS "expiresAt" TIMESTAMP(3);

-- A usage flush writes a new version of every row it updates. With free space on the same page no index is touched (a HOT
-- update), which is several times faster and keeps the table and its indexes small. Pages that are already full stay
-- full: the setting applies to pages written from now on. A fillfactor that somebody has chosen is left alone.
DO $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_class WHERE oid = '"ApiKey"'::regclass AND array_to_string(reloptions, ',') LIKE '%fillfactor%'
  ) THEN
    ALTER TABLE "ApiKey" SET (fillfactor = 50);
  END IF;
END
$$;
