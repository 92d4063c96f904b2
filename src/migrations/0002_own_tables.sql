-- Tables of the addon alone, out of the app's and Prisma's sight.

CREATE TABLE sophra_api_keys.signing_keys (
  fingerprint TEXT PRIMARY KEY,
  -- NULL: the key is given by the environment; the fingerprint remembers that it has signed.
  key BYTEA,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- One row per process: the last batch of usage that was applied, so that none is applied twice.
CREATE TABLE sophra_api_keys.usage_batches (
  process TEXT PRIMARY KEY,
  batch BIGINT NOT NULL,
  -- Keys of the batch whose rows somebody had locked: their part was left out, and comes with a later batch.
  skipped TEXT[] NOT NULL DEFAULT '{}',
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Where this schema was lost and the keys were not, as in a restore of the app's own schema alone: what they were signed
-- with is known to be missing, instead of refusing all of them.
INSERT INTO sophra_api_keys.signing_keys (fingerprint)
SELECT "signingKey" FROM "ApiKey" WHERE "signingKey" IS NOT NULL
UNION
SELECT "previousSigningKey" FROM "ApiKey" WHERE "previousSigningKey" IS NOT NULL;

-- Of the keys made here there is one, whichever process was first.
CREATE UNIQUE INDEX one_kept_signing_key ON sophra_api_keys.signing_keys ((true)) WHERE key IS NOT NULL;
