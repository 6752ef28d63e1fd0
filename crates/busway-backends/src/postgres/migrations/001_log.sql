CREATE TABLE {schema}.meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);

CREATE FUNCTION {schema}.set_meta(name text, content text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO {schema}.meta VALUES (name, content) ON CONFLICT (key) DO UPDATE SET value = excluded.value
$$;

-- Drawn once per batch under the locks of its lanes: row n of the batch gets draw * 4096 + n, so seqs rise in commit
-- order within each lane. No cache: a session that keeps draws back would give them out of order.
CREATE SEQUENCE {schema}.draws AS bigint MINVALUE 1 CACHE 1;

-- Payload and metadata stay text: jsonb is no JSON text any more, refuses \u0000 and costs a quarter at insert.
CREATE TABLE {schema}.domain_events (
    seq       bigint NOT NULL,
    stored_at timestamptz NOT NULL,
    "time"    timestamptz NOT NULL,
    id        uuid NOT NULL,
    lane      smallint NOT NULL,
    tenant    text COLLATE "C" NOT NULL,
    type      text COLLATE "C" NOT NULL,
    key       text COLLATE "C",
    metadata  text COLLATE "C",
    payload   text COLLATE "C" NOT NULL,
    PRIMARY KEY (lane, seq)
) PARTITION BY RANGE (seq);

-- Part n has the seqs from (n - 1) << 40 up to n << 40. It has begun once it takes events; the highest begun is newest.
CREATE TABLE {schema}.parts (
    number int PRIMARY KEY,
    began  timestamptz
);

-- Everything at or below `pruned` is gone, whether its part was dropped yet or not. `head` and `stored_at` are those
-- of the lane's last entry before the newest part began: written then, so that appending touches no row but its own.
CREATE TABLE {schema}.lanes (
    lane      smallint PRIMARY KEY,
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
        -- Some services allow neither; what is left still tells a restored dump.
    END;
    RETURN concat_ws('/', cluster, timeline, (SELECT oid FROM pg_database WHERE datname = current_database()),
                     '{schema}.meta'::regclass::oid);
END $$;

-- Makes a part ready to be begun. It is attached, since PARTITION OF would queue every reader behind a long one.
CREATE FUNCTION {schema}.make_part(new_number int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := format('domain_events_%s', new_number);
    low  bigint := (new_number - 1)::bigint << 40;
BEGIN
    EXECUTE format('CREATE TABLE {schema}.%I (LIKE {schema}.domain_events, PRIMARY KEY (lane, seq), UNIQUE (id, tenant))',
                   name);
    EXECUTE format('ALTER TABLE {schema}.domain_events ATTACH PARTITION {schema}.%I FOR VALUES FROM (%s) TO (%s)',
                   name, low, low + (1::bigint << 40));
    INSERT INTO {schema}.parts (number) VALUES (new_number);
END $$;

-- Lets the next part take events from now on. Every lane is locked, so nothing is appended meanwhile and what is
-- looked up here is final.
CREATE FUNCTION {schema}.begin_part(new_number int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one smallint;
BEGIN
    FOR one IN SELECT lane FROM {schema}.lanes ORDER BY lane LOOP
        PERFORM pg_advisory_xact_lock({lock}, one);
    END LOOP;
    IF EXISTS (SELECT FROM {schema}.parts WHERE number >= new_number AND began IS NOT NULL) THEN
        RETURN;
    END IF;
    IF to_regclass('{schema}.newest') IS NOT NULL THEN
        UPDATE {schema}.lanes AS l SET head = e.seq, stored_at = e.stored_at
            FROM {schema}.lanes AS k, LATERAL (
                SELECT seq, stored_at FROM {schema}.newest WHERE lane = k.lane ORDER BY seq DESC LIMIT 1) AS e
            WHERE k.lane = l.lane;
    END IF;
    UPDATE {schema}.parts SET began = clock_timestamp() WHERE number = new_number;
    EXECUTE format('CREATE OR REPLACE VIEW {schema}.newest AS SELECT * FROM {schema}.%I',
                   format('domain_events_%s', new_number));
    PERFORM setval('{schema}.draws', greatest((new_number - 1)::bigint << 28, 1), false);
END $$;

-- Keeps a part ready ahead and begins it once the newest has this size or no seq left; returns which is newest then.
CREATE FUNCTION {schema}.tend_parts(most_bytes bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    newest int := (SELECT max(number) FROM {schema}.parts WHERE began IS NOT NULL);
BEGIN
    IF NOT pg_try_advisory_xact_lock({lock}, -2) THEN
        RETURN newest;
    END IF;
    PERFORM set_config('lock_timeout', '200ms', true);
    IF NOT EXISTS (SELECT FROM {schema}.parts WHERE number = newest + 1) THEN
        PERFORM {schema}.make_part(newest + 1);
    END IF;
    IF pg_total_relation_size(format('{schema}.%I', format('domain_events_%s', newest))) >= most_bytes
            OR (SELECT last_value FROM {schema}.draws) >> 28 >= newest THEN
        PERFORM {schema}.begin_part(newest + 1), {schema}.make_part(newest + 2);
        newest := newest + 1;
    END IF;
    RETURN newest;
END $$;

-- Makes a new log, and gives one that was moved a new epoch.
CREATE FUNCTION {schema}.settle(new_lanes int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    highest bigint;
BEGIN
    PERFORM pg_advisory_xact_lock({lock}, -1);
    IF NOT EXISTS (SELECT FROM {schema}.parts) THEN
        INSERT INTO {schema}.meta VALUES ('lanes', new_lanes);
        INSERT INTO {schema}.lanes (lane) SELECT generate_series(0, new_lanes - 1);
        PERFORM {schema}.make_part(1), {schema}.begin_part(1), {schema}.make_part(2);
    END IF;
    IF {schema}.is_moved() THEN
        -- Logical replication carries no sequences: what was drawn elsewhere must not be drawn again.
        highest := (SELECT max(seq) FROM {schema}.newest) >> 12;
        IF highest >= (SELECT last_value FROM {schema}.draws) THEN
            PERFORM setval('{schema}.draws', highest);
        END IF;
        PERFORM {schema}.set_meta('epoch', hashtextextended(gen_random_uuid()::text, 0)::text),
                {schema}.set_meta('identity', {schema}.identity());
    END IF;
END $$;

CREATE FUNCTION {schema}.is_moved() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (SELECT value FROM {schema}.meta WHERE key = 'identity') IS DISTINCT FROM {schema}.identity()
$$;

-- To be called on every new connection, before anything else: it may lead to a server that took the other's place.
CREATE FUNCTION {schema}.arrive() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF {schema}.is_moved() THEN
        PERFORM {schema}.settle(NULL);
    END IF;
END $$;

-- When an id was made, or long ago if its version does not tell.
CREATE FUNCTION {schema}.made_at(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN substr(id::text, 15, 1) = '7'
        THEN to_timestamp(('x' || left(id::text, 8) || substr(id::text, 10, 4))::bit(48)::bigint / 1000.0)
        ELSE '-infinity' END
$$;

-- Entries of the older parts that bear an id of the batch; `oldest` is when its oldest id was made. An id of version 7
-- is stored no earlier than it says, give or take five minutes, so it cannot lie in a part that ended before; any other
-- id may lie anywhere.
CREATE FUNCTION {schema}.older(oldest timestamptz, ids uuid[], tenants text[],
                               OUT n bigint, OUT lane smallint, OUT seq bigint, OUT stored_at timestamptz)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT p.number, p.ended FROM (
                    SELECT number, lead(began) OVER (ORDER BY number) + interval '5 min' AS ended
                    FROM {schema}.parts WHERE began IS NOT NULL) AS p
                WHERE p.ended >= oldest ORDER BY number DESC LOOP
        RETURN QUERY EXECUTE format(
            'SELECT u.n, e.lane, e.seq, e.stored_at
             FROM unnest($1, $2) WITH ORDINALITY AS u(id, tenant, n),
                  LATERAL (SELECT lane, seq, stored_at FROM {schema}.%I AS e
                           WHERE e.id = u.id AND e.tenant = u.tenant LIMIT 1) AS e
             WHERE {schema}.made_at(u.id) <= $3',
            format('domain_events_%s', part.number)) USING ids, tenants, part.ended;
    END LOOP;
END $$;

-- Appends a batch in the order given, whole, each (id, tenant) once. `lanes` are those of the batch, ascending;
-- `oldest` is when its oldest id was made; `at` overrides the server's clock. Row n (from 0) gets the seq
-- bases[n / 4096] + n % 4096 unless it is among the repeats, of which the first's place and time are told.
CREATE FUNCTION {schema}.append(
    lanes int[], oldest timestamptz, at timestamptz, note text,
    ids uuid[], row_lanes smallint[], tenants text[], types text[], keys text[], times timestamptz[], metadata text[],
    payloads text[],
    OUT bases bigint[], OUT stored timestamptz,
    OUT repeats bigint[], OUT repeat_lanes smallint[], OUT repeat_seqs bigint[], OUT repeat_times timestamptz[]
) LANGUAGE plpgsql AS $$
DECLARE
    one    int;
    last   timestamptz;
    newest record;
    older  bigint[] := '{}';
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'events are appended at read committed, not at %', current_setting('transaction_isolation')
            USING ERRCODE = 'BW001';
    END IF;
    stored := coalesce(at, date_trunc('milliseconds', clock_timestamp()));
    -- Each statement takes its snapshot when it begins, so it sees what those before committed under the lock.
    FOREACH one IN ARRAY lanes LOOP
        PERFORM pg_advisory_xact_lock({lock}, one);
        SELECT stored_at INTO last FROM {schema}.newest WHERE lane = one ORDER BY seq DESC LIMIT 1;
        IF last IS NULL THEN
            SELECT stored_at INTO last FROM {schema}.lanes WHERE lane = one;
        END IF;
        stored := greatest(stored, last);
    END LOOP;
    SELECT number, began INTO newest FROM {schema}.parts WHERE began IS NOT NULL ORDER BY number DESC LIMIT 1;
    FOR one IN 1 .. (cardinality(ids) + 4095) >> 12 LOOP
        bases[one] := nextval('{schema}.draws') << 12;
    END LOOP;
    IF bases[cardinality(bases)] >> 40 >= newest.number THEN
        RAISE 'part % of the log has no seq left', newest.number USING ERRCODE = 'BW003';
    END IF;
    IF newest.number > 1 AND oldest <= newest.began + interval '5 min' THEN
        SELECT coalesce(array_agg(n), '{}'), array_agg(lane), array_agg(seq), array_agg(stored_at)
            INTO older, repeat_lanes, repeat_seqs, repeat_times FROM {schema}.older(oldest, ids, tenants);
    END IF;
    BEGIN
        IF cardinality(ids) = 1 AND older = '{}' THEN
            INSERT INTO {schema}.newest (seq, stored_at, "time", id, lane, tenant, type, key, metadata, payload)
                VALUES (bases[1], stored, times[1], ids[1], row_lanes[1], tenants[1], types[1], keys[1],
                        append.metadata[1], payloads[1]);
        ELSE
            INSERT INTO {schema}.newest (seq, stored_at, "time", id, lane, tenant, type, key, metadata, payload)
                SELECT bases[1 + (n - 1 >> 12)] + (n - 1 & 4095), stored, e.at, e.id, e.lane, e.tenant, e.type, e.key, e.said,
                       e.payload
                FROM unnest(ids, row_lanes, tenants, types, keys, times, append.metadata, payloads) WITH ORDINALITY
                    AS e(id, lane, tenant, type, key, at, said, payload, n)
                WHERE n <> ALL (older);
        END IF;
        repeats := older;
    EXCEPTION WHEN unique_violation THEN
        INSERT INTO {schema}.newest (seq, stored_at, "time", id, lane, tenant, type, key, metadata, payload)
            SELECT bases[1 + (n - 1 >> 12)] + (n - 1 & 4095), stored, e.at, e.id, e.lane, e.tenant, e.type, e.key, e.said,
                   e.payload
            FROM unnest(ids, row_lanes, tenants, types, keys, times, append.metadata, payloads) WITH ORDINALITY
                AS e(id, lane, tenant, type, key, at, said, payload, n)
            WHERE n <> ALL (older)
            ORDER BY n
            ON CONFLICT (id, tenant) DO NOTHING;
        SELECT older || array_agg(u.n), repeat_lanes || array_agg(e.lane), repeat_seqs || array_agg(e.seq),
               repeat_times || array_agg(e.stored_at)
            INTO repeats, repeat_lanes, repeat_seqs, repeat_times
            FROM unnest(ids, tenants) WITH ORDINALITY AS u(id, tenant, n),
                 LATERAL (SELECT e.lane, e.seq, e.stored_at FROM {schema}.newest AS e
                          WHERE e.id = u.id AND e.tenant = u.tenant LIMIT 1) AS e
            WHERE e.seq <> bases[1 + (n - 1 >> 12)] + (n - 1 & 4095) AND n <> ALL (older);
    END;
    IF note IS NOT NULL THEN
        PERFORM pg_notify('{channel}', note);
    END IF;
END $$;

-- Where the lanes end, as one snapshot. Volatile, so that the snapshot is taken once `newest` is held: else a part
-- that is begun meanwhile would show its empty lanes beside the heads of before.
CREATE FUNCTION {schema}.heads(OUT epoch bigint, OUT heads bigint[], OUT pruned bigint[], OUT lowest int)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT (SELECT value::bigint FROM {schema}.meta WHERE key = 'epoch'),
           array_agg(coalesce(e.seq, l.head) ORDER BY l.lane), array_agg(l.pruned ORDER BY l.lane),
           (SELECT min(number) FROM {schema}.parts)
        INTO heads.epoch, heads.heads, heads.pruned, heads.lowest
        FROM {schema}.lanes AS l LEFT JOIN LATERAL (
            SELECT e.seq FROM {schema}.newest AS e WHERE e.lane = l.lane ORDER BY e.seq DESC LIMIT 1) AS e ON true;
END $$;

-- What lies in the newest part behind these places of lanes, at most so many entries of each, lane by lane. Of a lane
-- of which older parts may have something left comes one row without a seq. `newest` and the heads of before it change
-- together, and whoever sees only one of the two has nothing to see in the part: so nothing is passed over.
CREATE FUNCTION {schema}.tail(lanes smallint[], afters bigint[], most bigint)
RETURNS SETOF {schema}.domain_events LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT e.seq, e.stored_at, e."time", e.id, w.lane, e.tenant, e.type, e.key, e.metadata, e.payload
        FROM unnest(lanes, afters) AS w(lane, after) JOIN {schema}.lanes AS l ON l.lane = w.lane
        LEFT JOIN LATERAL (
            SELECT * FROM {schema}.newest AS n
            WHERE n.lane = w.lane AND n.seq > w.after AND w.after >= l.head ORDER BY n.seq LIMIT most) AS e ON true
        WHERE e.seq IS NOT NULL OR w.after < l.head;
END $$;

-- Entries of one part and lane that a filter may want, at most `most`, in the order of the seqs or against it, from
-- `start` (excluded) to `until`. Only so many rows are looked at: the first row has no lane, and the seq of the last
-- one looked at if there are more. Settings keep the planner from sorting a lane for each page, and from compiling.
CREATE FUNCTION {schema}.sift(part int, of smallint, start bigint, until bigint, backward boolean, types text[],
                              prefixes text[], shapes text[], whose text, except_of text[], most bigint, look_at int)
RETURNS SETOF {schema}.domain_events LANGUAGE plpgsql STABLE
SET enable_sort = off SET jit = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    name   text := format('domain_events_%s', part);
    range  text := CASE WHEN backward THEN 'e.seq < $2 AND e.seq >= $3' ELSE 'e.seq > $2 AND e.seq <= $3' END;
    way    text := CASE WHEN backward THEN 'DESC' ELSE 'ASC' END;
    wanted text := '';
    edge   {schema}.domain_events;
BEGIN
    EXECUTE format('SELECT e.seq FROM {schema}.%I AS e WHERE e.lane = $1 AND %s ORDER BY e.seq %s OFFSET $4 LIMIT 1',
                   name, range, way) INTO edge.seq USING of, start, until, look_at - 1;
    RETURN NEXT edge;
    IF types IS NOT NULL THEN
        wanted := ' AND (e.type = ANY ($4) OR e.type ^@ ANY ($5) OR e.type ~ ANY ($6))';
    END IF;
    IF whose IS NOT NULL THEN
        wanted := wanted || ' AND e.tenant = $7';
    END IF;
    IF except_of IS NOT NULL THEN
        wanted := wanted || ' AND e.tenant <> ALL ($8)';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT * FROM {schema}.%I AS e WHERE e.lane = $1 AND %s AND e.seq > $9%s ORDER BY e.seq %s LIMIT $10',
        name, range, wanted, way)
        USING of, start, coalesce(edge.seq, until), types, prefixes, shapes, whose, except_of,
              (SELECT pruned FROM {schema}.lanes WHERE lane = of), most;
END $$;

-- Forgets a lane's oldest entries with seq <= upto that were stored before a time, at most so many at once; returns
-- how many. The rows go with their part.
CREATE FUNCTION {schema}.prune(of smallint, upto bigint, before timestamptz, most int) RETURNS bigint
LANGUAGE plpgsql SET enable_sort = off SET jit = off AS $$
DECLARE
    done    bigint := (SELECT pruned FROM {schema}.lanes WHERE lane = of);
    oldest  timestamptz;
    last    bigint;
    counted bigint;
BEGIN
    SELECT stored_at INTO oldest FROM {schema}.domain_events
        WHERE lane = of AND seq > done AND seq <= upto ORDER BY seq LIMIT 1;
    -- Mostly there is nothing to do, and nothing is written then.
    IF oldest IS NULL OR oldest >= before THEN
        RETURN 0;
    END IF;
    SELECT pruned INTO done FROM {schema}.lanes WHERE lane = of FOR UPDATE;
    SELECT max(seq), count(*) INTO last, counted FROM (
        SELECT seq, stored_at FROM {schema}.domain_events
        WHERE lane = of AND seq > done AND seq <= upto ORDER BY seq LIMIT most) AS e
        WHERE stored_at < before;
    IF counted > 0 THEN
        UPDATE {schema}.lanes SET pruned = last WHERE lane = of;
    END IF;
    RETURN counted;
END $$;

-- Older parts in which every entry is pruned, and those that are on their way out.
CREATE FUNCTION {schema}.spent_parts(OUT number int, OUT attached boolean, OUT detaching boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT p.number, i.inhrelid IS NOT NULL, coalesce(i.inhdetachpending, false)
        FROM {schema}.parts AS p
        LEFT JOIN pg_inherits AS i ON i.inhrelid = to_regclass(format('{schema}.%I', format('domain_events_%s', p.number)))
        WHERE p.number < (SELECT max(n.number) FROM {schema}.parts AS n WHERE n.began IS NOT NULL)
          AND NOT EXISTS (
              SELECT FROM {schema}.lanes AS l, LATERAL (
                  SELECT FROM {schema}.domain_events AS e
                  WHERE e.lane = l.lane AND e.seq > l.pruned AND e.seq < p.number::bigint << 40 LIMIT 1) AS kept)
        ORDER BY p.number;
END $$;

-- Drops a part that was taken off, unless that is still under way.
CREATE FUNCTION {schema}.drop_part(spent int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    IF NOT EXISTS (SELECT FROM pg_inherits
                   WHERE inhrelid = to_regclass(format('{schema}.%I', format('domain_events_%s', spent)))) THEN
        EXECUTE format('DROP TABLE IF EXISTS {schema}.%I', format('domain_events_%s', spent));
        DELETE FROM {schema}.parts WHERE number = spent;
    END IF;
END $$;

-- For people who look: the log without what is pruned.
CREATE VIEW {schema}.events AS
    SELECT e.lane, e.seq, e.stored_at, e.id, e.tenant, e.type, e.key, e."time", coalesce(e.metadata, '{}')::json AS metadata,
           e.payload::json AS payload
    FROM {schema}.domain_events AS e JOIN {schema}.lanes AS l USING (lane) WHERE e.seq > l.pruned;
