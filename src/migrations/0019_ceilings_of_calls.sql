-- Whether a client may have one more key where the call itself says how many it may have at most, besides what was set for it;
-- NULL: the call does not say. There need not be a row of the client to lock, so calls that say it wait for each other until the
-- transaction ends.
CREATE FUNCTION sophra_api_keys.client_has_room_within(of_client TEXT, most INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
BEGIN
  IF most IS NOT NULL THEN
    -- A part of the time for the statement, as in client_has_room.
    PERFORM set_config(
      'lock_timeout',
      (extract(epoch FROM current_setting('statement_timeout')::interval) * 250)::integer::text,
      true
    );
    PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.keys_of/' || of_client, 0));
  END IF;
  -- Counted by statements of their own, which see what was committed while this one waited for the lock.
  RETURN sophra_api_keys.client_has_room(of_client) AND (
    most IS NULL OR (
      SELECT count(*)
      FROM (SELECT FROM "ApiKey" WHERE "clientId" = of_client AND "revokedAt" IS NULL LIMIT greatest(most, 0)) AS counted
    ) < most
  );
END
$$;
