-- The admin token that a rotation replaced, which stays valid for a grace period.

ALTER TABLE "AdminToken"
  -- The digest of the replaced token. NULL: there is none that is still valid.
  ADD COLUMN IF NOT EXISTS "previousLookup" TEXT,
  -- When its grace period ends.
  ADD COLUMN IF NOT EXISTS "previousTokenExpiresAt" TIMESTAMP(3),
  -- The expiry that the replaced token claims; NULL if it was not issued by this package.
  ADD COLUMN IF NOT EXISTS "previousExpiresAt" TIMESTAMP(3),
  -- The last rotation. NULL: there was none.
  ADD COLUMN IF NOT EXISTS "rotatedAt" TIMESTAMP(3);

CREATE TRIGGER sophra_api_keys_previous_update
AFTER UPDATE ON "AdminToken"
FOR EACH ROW
WHEN (
  OLD."previousLookup" IS DISTINCT FROM NEW."previousLookup"
  OR OLD."previousTokenExpiresAt" IS DISTINCT FROM NEW."previousTokenExpiresAt"
  OR OLD."previousExpiresAt" IS DISTINCT FROM NEW."previousExpiresAt"
)
EXECUTE FUNCTION sophra_api_keys.note_change();

-- An older implementation may write a new plaintext over the digest: what belonged to the replaced token is gone.
CREATE TRIGGER sophra_api_keys_previous
BEFORE INSERT OR UPDATE OF "token", "lookup" ON "AdminToken"
FOR EACH ROW
WHEN (NEW."token" NOT LIKE 'sha256:%')
EXECUTE FUNCTION sophra_api_keys.clear_columns('previousLookup', 'previousTokenExpiresAt', 'previousExpiresAt');

ALTER TABLE "AdminToken"
  ENABLE ALWAYS TRIGGER sophra_api_keys_previous_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_previous;
