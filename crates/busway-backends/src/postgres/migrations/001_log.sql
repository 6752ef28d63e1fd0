CREATE TABLE {schema}.meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);

CREATE FUNCTION {schema}.set_meta(name text, content text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO {schema}.meta VALUES (name, content) ON CONFLICT (key) DO UPDATE SET value = excluded.value
$$;

-- Everything below `pruned` is gone. `head` and `stored_at` are those of the lane's newest entry before the newest
-- part of the log began.
CREATE TABLE {schema}.lanes (
    lane      int PRIMARY KEY,
    pruned    bigint NOT NULL DEFAULT 0,
    head      bigint NOT NULL DEFAULT 0,
    stored_at timestamptz NOT NULL DEFAULT '-infinity'
);

-- Where the log is: another cluster, timeline, database or table is another incarnation of it.
CREATE FUNCTION {schema}.identity() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    cluster  text := '-';
    timeline text := '-';
BEGIN
    BEGIN
        cluster := (SELECT system_identifier FROM pg_control_system());
        timeline := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
    EXCEPTION WHEN OTHERS THEN
        -- Some services allow neither; the rest still tells a restored dump.
    END;
    RETURN concat_ws('/', cluster, timeline, (SELECT oid FROM pg_database WHERE datname = current_database()),
                     '{schema}.meta'::regclass::oid);
END $$;

-- Says what a new log is, and gives one that was moved a new epoch.
CREATE FUNCTION {schema}.settle(new_lanes int, new_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.meta VALUES ('lanes', new_lanes) ON CONFLICT DO NOTHING;
    INSERT INTO {schema}.lanes (lane)
        SELECT generate_series(0, value::int - 1) FROM {schema}.meta WHERE key = 'lanes' ON CONFLICT DO NOTHING;
    IF (SELECT value FROM {schema}.meta WHERE key = 'identity') IS DISTINCT FROM {schema}.identity() THEN
        PERFORM {schema}.set_meta('identity', {schema}.identity()), {schema}.set_meta('epoch', new_epoch::text);
    END IF;
END $$;
