-- Which processes use a rate limit: what a single one uses need not be told to others all the time.

ALTER TABLE sophra_api_keys.spent
  -- The process that told its use last.
  ADD COLUMN process TEXT,
  -- When that was last another one than before.
  ADD COLUMN shared_at TIMESTAMPTZ NOT NULL DEFAULT '-infinity',
  -- Whether it was told that it is alone: then it may hold back some of its use.
  ADD COLUMN is_alone BOOLEAN NOT NULL DEFAULT false,
  -- The process that was alone until the row was last written.
  ADD COLUMN displaced TEXT;

-- Tells a process that was alone with a limit that it no longer is. It reads its rows with each flush, and deletes them with
-- the next. They are deleted by their ids, so that none is deleted that was not read.
CREATE TABLE sophra_api_keys.shared_limits (
  process TEXT NOT NULL,
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  limit_id TEXT NOT NULL,
  noted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (process, id)
);
