-- A UUID of version 7: a v4 whose first 48 bits are the time in milliseconds and whose version is set.
CREATE FUNCTION {schema}.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- What callers publish in their own transactions, until it is in the log. `transaction` is who wrote the row: by it a
-- reader finds what was committed since a snapshot, however many dead rows an open transaction keeps.
CREATE TABLE {schema}.outbox (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "time"      timestamptz NOT NULL DEFAULT clock_timestamp(),
    id          uuid NOT NULL DEFAULT {schema}.new_id(),
    tenant      text,
    type        text,
    key         text,
    metadata    text,
    payload     text DEFAULT '{}'
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_transaction ON {schema}.outbox (transaction);

-- Why a text is no JSON object, or, where it must be metadata, no flat one; NULL if it is.
CREATE FUNCTION {schema}.not_an_object(content text, flat boolean) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    fault text;
    why   text;
BEGIN
    IF json_typeof(content::json) <> 'object' THEN
        RETURN format('must be a JSON object, not a JSON %s', json_typeof(content::json));
    END IF;
    IF flat THEN
        SELECT format('must have a %s under %L, not a JSON %s', wanted, key, json_typeof(value)) INTO fault
            FROM json_each(content::json), LATERAL (SELECT CASE key WHEN 'hops' THEN 'number' ELSE 'string' END) AS w(wanted)
            WHERE json_typeof(value) <> wanted LIMIT 1;
    END IF;
    RETURN fault;
EXCEPTION WHEN invalid_text_representation OR untranslatable_character OR statement_too_complex THEN
    GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
    RETURN format('must be a JSON object: %s', concat_ws(': ', SQLERRM, nullif(why, '')));
END $$;

-- Publishes an event in the caller's transaction: once that is committed it is on its way, and if it is rolled back it
-- never was. Returns the event's id. Nothing is locked but the caller's own row, and nobody is notified, so that open
-- transactions never wait for each other.
CREATE FUNCTION {schema}.publish(
    type text, tenant text DEFAULT NULL, payload text DEFAULT '{}', key text DEFAULT NULL, metadata text DEFAULT NULL,
    id uuid DEFAULT NULL, "time" timestamptz DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    argument text;
    fault    text;
BEGIN
    -- Bounds within the expressions would make them ten times slower.
    IF type IS NULL OR octet_length(type) > 200 OR type !~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$'
            OR octet_length(type) > 64 AND type ~ '[^.]{65}' THEN
        argument := 'type';
        fault := format('must be segments of letters, digits, "_" and "-", up to 64 each, joined by ".", 200 bytes in all,'
                        ' such as ticket.created; it is %L', left(type, 250));
    ELSIF octet_length(tenant) > 128 OR tenant !~ '^[A-Za-z0-9._:-]+$' THEN
        argument := 'tenant';
        fault := format('must be 1 to 128 of letters, digits, ".", "_", ":" and "-"; it is %L', left(tenant, 150));
    ELSIF octet_length(key) NOT BETWEEN 1 AND 256 THEN
        argument := 'key';
        fault := format('must have 1 to 256 bytes and has %s; leave it out for an event without a key', octet_length(key));
    ELSIF NOT isfinite("time") THEN
        argument := 'time';
        fault := 'must be finite';
    ELSIF octet_length(payload) + coalesce(octet_length(metadata), 0) > 262144 THEN
        argument := 'payload';
        fault := format('and metadata may have 262144 bytes together and have %s',
                        octet_length(payload) + coalesce(octet_length(metadata), 0));
    ELSE
        argument := 'payload';
        fault := CASE WHEN payload IS NULL THEN 'must be a JSON object, not null; leave it out for an empty one'
                      ELSE {schema}.not_an_object(payload, false) END;
        IF fault IS NULL AND metadata IS NOT NULL THEN
            argument := 'metadata';
            fault := {schema}.not_an_object(metadata, true);
        END IF;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE 'publish: "%" %', argument, fault USING ERRCODE = 'invalid_parameter_value', COLUMN = argument;
    END IF;
    id := coalesce(id, {schema}.new_id());
    INSERT INTO {schema}.outbox ("time", id, tenant, type, key, metadata, payload)
        VALUES (coalesce(publish."time", clock_timestamp()), publish.id, publish.tenant, publish.type, publish.key,
                publish.metadata, publish.payload);
    RETURN id;
END $$;

-- The same for those who have json or jsonb. Only the form above can be called without a payload, and a literal of no
-- type is text to PostgreSQL where it has the choice: so no call is ambiguous.
CREATE FUNCTION {schema}.publish(
    type text, tenant text, payload json, key text DEFAULT NULL, metadata json DEFAULT NULL, id uuid DEFAULT NULL,
    "time" timestamptz DEFAULT NULL
) RETURNS uuid LANGUAGE sql AS $$
    SELECT {schema}.publish(type, tenant, payload::text, key, metadata::text, id, "time")
$$;
CREATE FUNCTION {schema}.publish(
    type text, tenant text, payload jsonb, key text DEFAULT NULL, metadata jsonb DEFAULT NULL, id uuid DEFAULT NULL,
    "time" timestamptz DEFAULT NULL
) RETURNS uuid LANGUAGE sql AS $$
    SELECT {schema}.publish(type, tenant, payload::text, key, metadata::text, id, "time")
$$;
-- And without a tenant. No text stands third here: else three literals before jsonb metadata could be meant for either.
CREATE FUNCTION {schema}.publish(
    type text, payload json, metadata json DEFAULT NULL, key text DEFAULT NULL, id uuid DEFAULT NULL,
    "time" timestamptz DEFAULT NULL
) RETURNS uuid LANGUAGE sql AS $$
    SELECT {schema}.publish(type, NULL::text, payload::text, key, metadata::text, id, "time")
$$;
CREATE FUNCTION {schema}.publish(
    type text, payload jsonb, metadata jsonb DEFAULT NULL, key text DEFAULT NULL, id uuid DEFAULT NULL,
    "time" timestamptz DEFAULT NULL
) RETURNS uuid LANGUAGE sql AS $$
    SELECT {schema}.publish(type, NULL::text, payload::text, key, metadata::text, id, "time")
$$;

-- Committed rows by rising number, at most so many: those that a snapshot did not see. They are found by their
-- transactions: `+ 0` keeps the planner from walking over removed rows in the order of numbers, whatever it believes.
CREATE FUNCTION {schema}.outbox_after(seen pg_snapshot, most int) RETURNS SETOF {schema}.outbox
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
        SELECT o.* FROM (
            SELECT * FROM {schema}.outbox WHERE transaction = ANY (ARRAY(SELECT pg_snapshot_xip(seen)))
            UNION ALL SELECT * FROM {schema}.outbox WHERE transaction >= pg_snapshot_xmax(seen)) AS o
        ORDER BY o.number + 0 LIMIT most;
END $$;

-- The same above a number, of what a snapshot saw, the present one if NULL. A row whose transaction this server does not know to be
-- committed, though the row is there, came with a restored dump: it counts as seen.
CREATE FUNCTION {schema}.outbox_within(seen pg_snapshot, above bigint, most int) RETURNS SETOF {schema}.outbox
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
DECLARE
    present pg_snapshot := pg_current_snapshot();
BEGIN
    RETURN QUERY
        SELECT * FROM {schema}.outbox
        WHERE number > above AND (pg_visible_in_snapshot(transaction, coalesce(seen, present))
                                  OR NOT pg_visible_in_snapshot(transaction, present))
        ORDER BY number LIMIT most;
END $$;

-- Removes rows that are in the log. If this is lost in a crash they are appended once more, as duplicates: so the commit
-- waits for no disk.
CREATE FUNCTION {schema}.remove_from_outbox(numbers bigint[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM {schema}.outbox WHERE number = ANY (numbers);
END $$;

-- Which events a subscription has handled, as told by its handlers in their own transactions.
CREATE TABLE {schema}.first_times (
    subscription text COLLATE "C" NOT NULL,
    event_id     uuid NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscription, event_id, tenant)
);

-- Up to when events met may be forgotten: a time, or when the oldest event that is kept was stored, since what is kept may
-- be delivered again. And how many pages there are to be looked at.
CREATE FUNCTION {schema}.forgettable_first_times(before timestamptz, OUT met_before timestamptz, OUT pages bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    SELECT least(before, min(e.stored_at)) INTO met_before
        FROM {schema}.lanes AS l, LATERAL (
            SELECT stored_at FROM {schema}.domain_events WHERE lane = l.lane AND seq > l.pruned ORDER BY seq LIMIT 1) AS e;
    pages := pg_relation_size('{schema}.first_times') / current_setting('block_size')::int;
END $$;

-- Forgets events met before a time, of these pages alone; returns how many. So no statement is long and nobody pays for an
-- index.
CREATE FUNCTION {schema}.forget_first_times(met_before timestamptz, page bigint, next_page bigint) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM {schema}.first_times
        WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', next_page)::tid AND at < met_before;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

-- True once per subscription and event, if the caller's transaction is committed. Whoever asks for the same meanwhile
-- waits for its end. Ids are unique per tenant: where they are not made by Busway, name it.
CREATE FUNCTION {schema}.first_time(subscription text, event_id uuid, tenant text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.first_times (subscription, event_id, tenant)
        VALUES (first_time.subscription, first_time.event_id, first_time.tenant) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
