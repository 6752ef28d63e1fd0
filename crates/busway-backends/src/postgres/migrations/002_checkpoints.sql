-- Texts that are looked up compare byte by byte: an index must not depend on the system's sorting rules.

-- Raised with each change of a subscription and each request, last of all: who sees the number sees what it is about.
CREATE TABLE {schema}.changes (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    value  bigint NOT NULL
);
INSERT INTO {schema}.changes (value) VALUES (0);

CREATE TABLE {schema}.subscriptions (
    id      uuid PRIMARY KEY,
    owner   text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    lanes   int NOT NULL,
    replay  boolean NOT NULL,
    record  text NOT NULL
);
CREATE UNIQUE INDEX subscriptions_name ON {schema}.subscriptions (owner, name) WHERE NOT replay;

-- One row per lane, rewritten by each commit. The version is part of the key, so that a commit finds its row by one
-- exact entry and a reader finds the newest first, however many dead rows an open transaction keeps in between.
-- What is held is in hold_changes from the base version on.
CREATE TABLE {schema}.checkpoints (
    subscription uuid NOT NULL,
    holder       uuid,
    handed_key   uuid,
    fence        bigint NOT NULL,
    n            bigint NOT NULL,
    position     bigint NOT NULL,
    written_by   bigint NOT NULL,
    handed_seq   bigint,
    handed_turn  bigint,
    probation    bigint NOT NULL,
    delivered    bigint NOT NULL,
    failed       bigint NOT NULL,
    base_fence   bigint NOT NULL DEFAULT 0,
    base_n       bigint NOT NULL DEFAULT 0,
    base_bytes   bigint NOT NULL DEFAULT 0,
    held_bytes   bigint NOT NULL DEFAULT 0,
    lane         int NOT NULL,
    released     boolean NOT NULL,
    segments     text NOT NULL,
    PRIMARY KEY (subscription, lane, fence, n)
);

-- What each commit changed of a lane's holds, packed; at the base version, all that held then.
CREATE TABLE {schema}.hold_changes (
    subscription uuid NOT NULL,
    fence        bigint NOT NULL,
    n            bigint NOT NULL,
    lane         int NOT NULL,
    changes      bytea NOT NULL,
    PRIMARY KEY (subscription, lane, fence, n)
) WITH (toast_tuple_target = 8160);
ALTER TABLE {schema}.hold_changes ALTER changes SET STORAGE MAIN;

-- error and fault are JSON strings, since they may hold NUL. event_id is missing where the entry could not be
-- decoded; raw then holds its bytes and fault the reason.
CREATE TABLE {schema}.dead_letters (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription    uuid NOT NULL,
    hold_key        uuid NOT NULL,
    event_id        uuid,
    seq             bigint NOT NULL,
    attempts        bigint NOT NULL,
    first_failed_at bigint NOT NULL,
    died_at         bigint NOT NULL,
    stored_at       bigint NOT NULL,
    time            bigint,
    lane            int NOT NULL,
    owner           text NOT NULL,
    name            text COLLATE "C" NOT NULL,
    cause           text NOT NULL,
    tenant          text COLLATE "C",
    type            text,
    key             text,
    error           text NOT NULL,
    fault           text,
    metadata        text,
    payload         text,
    edited_payload  text,
    raw             bytea,
    UNIQUE (subscription, lane, seq)
);
CREATE INDEX dead_letters_name ON {schema}.dead_letters (name, id);
CREATE INDEX dead_letters_tenant ON {schema}.dead_letters (tenant, id);

CREATE TABLE {schema}.requests (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    subscription uuid NOT NULL,
    lane         int NOT NULL,
    request      text NOT NULL,
    PRIMARY KEY (subscription, lane, id)
);

CREATE TABLE {schema}.members (
    id     uuid PRIMARY KEY,
    record text NOT NULL
);

CREATE TABLE {schema}.leases (
    name    text PRIMARY KEY,
    holder  uuid NOT NULL,
    counter bigint NOT NULL
);

CREATE TABLE {schema}.operations (
    id        uuid PRIMARY KEY,
    version   bigint NOT NULL,
    running   boolean NOT NULL,
    ended_at  bigint,
    operation text NOT NULL
);
CREATE INDEX operations_ended ON {schema}.operations (ended_at DESC NULLS LAST, id) WHERE NOT running;

-- The one row of each lane, of all subscriptions or of one. A query with the same look-up would be planned for as many
-- lanes as the planner fears, and compiled first, each time.
CREATE FUNCTION {schema}.newest_checkpoints(wanted uuid) RETURNS SETOF {schema}.checkpoints
LANGUAGE plpgsql STABLE ROWS 100 SET enable_seqscan = off SET jit = off AS $$
DECLARE
    of_subscription uuid;
    last_lane       int;
BEGIN
    FOR of_subscription, last_lane IN
            SELECT s.id, s.lanes - 1 FROM {schema}.subscriptions AS s WHERE wanted IS NULL OR s.id = wanted ORDER BY s.id LOOP
        FOR of_lane IN 0..last_lane LOOP
            RETURN QUERY SELECT c.* FROM {schema}.checkpoints AS c
                WHERE c.subscription = of_subscription AND c.lane = of_lane ORDER BY c.fence DESC, c.n DESC LIMIT 1;
        END LOOP;
    END LOOP;
END $$;

-- True unless refused. Without an expected version the subscription is made, each lane at its start.
CREATE FUNCTION {schema}.save_subscription(
    new_id uuid, new_owner text, new_name text, new_version bigint, is_replay boolean, new_record text,
    expected bigint, starts bigint[], first_segments text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF expected IS NULL THEN
        INSERT INTO {schema}.subscriptions (id, owner, name, version, lanes, replay, record)
            VALUES (new_id, new_owner, new_name, new_version, cardinality(starts), is_replay, new_record)
            ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        INSERT INTO {schema}.checkpoints (subscription, lane, fence, n, position, written_by, released, probation,
                                          segments, delivered, failed)
            SELECT new_id, lane - 1, 0, 0, position, 0, true, 0, first_segments, 0, 0
            FROM unnest(starts) WITH ORDINALITY AS start (position, lane);
    ELSE
        UPDATE {schema}.subscriptions
            SET owner = new_owner, name = new_name, version = new_version, replay = is_replay, record = new_record
            WHERE id = new_id AND version = expected;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    UPDATE {schema}.changes SET value = value + 1;
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END $$;

-- The checkpoints go before what is kept beside them: a commit under way is waited for, and a later one finds no row.
CREATE FUNCTION {schema}.remove_subscription(gone uuid, keep_dead_letters boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.subscriptions WHERE id = gone;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM {schema}.checkpoints WHERE subscription = gone;
    DELETE FROM {schema}.hold_changes WHERE subscription = gone;
    DELETE FROM {schema}.requests WHERE subscription = gone;
    IF NOT keep_dead_letters THEN
        DELETE FROM {schema}.dead_letters WHERE subscription = gone;
    END IF;
    UPDATE {schema}.changes SET value = value + 1;
    RETURN true;
END $$;

-- The id of the request, or NULL if the lane is gone. The number of changes is raised first: so ids rise in the order
-- in which they can be seen.
CREATE FUNCTION {schema}.leave_request(of_subscription uuid, of_lane int, what text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    PERFORM FROM {schema}.subscriptions WHERE id = of_subscription AND lanes > of_lane FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE {schema}.changes SET value = value + 1;
    INSERT INTO {schema}.requests (subscription, lane, request) VALUES (of_subscription, of_lane, what)
        RETURNING id INTO given;
    RETURN given;
END $$;

-- Applies a change of a lane if the stored version is the expected one; else tells which one is stored, NULL if none.
-- The first statement locks the lane's row, so nothing else of the lane changes until the end. `crowded`: the changes of
-- holds have outgrown what holds, and should be put together.
CREATE FUNCTION {schema}.commit_lane(
    of_subscription uuid, of_lane int, expected_fence bigint, expected_n bigint,
    new_position bigint, new_fence bigint, new_n bigint, new_written_by bigint, new_holder uuid, new_released boolean,
    new_handed_seq bigint, new_handed_key uuid, new_handed_turn bigint, new_probation bigint, new_segments text,
    new_delivered bigint, new_failed bigint,
    clears boolean, held bytea, buried bigint[], carried_out bigint[],
    OUT applied boolean, OUT crowded boolean, OUT stored_fence bigint, OUT stored_n bigint, OUT stored_by bigint
) LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
    LOOP
        UPDATE {schema}.checkpoints AS c
            SET position = new_position, fence = new_fence, n = new_n, written_by = new_written_by,
                holder = new_holder, released = new_released, handed_seq = new_handed_seq,
                handed_key = new_handed_key, handed_turn = new_handed_turn, probation = new_probation,
                segments = new_segments, delivered = new_delivered, failed = new_failed,
                base_fence = CASE WHEN clears THEN new_fence ELSE c.base_fence END,
                base_n = CASE WHEN clears THEN new_n ELSE c.base_n END,
                base_bytes = CASE WHEN clears THEN 0 ELSE c.base_bytes END,
                held_bytes = CASE WHEN clears THEN 0 ELSE c.held_bytes END + coalesce(octet_length(held) + 100, 0)
            WHERE c.subscription = of_subscription AND c.lane = of_lane
                AND c.fence = expected_fence AND c.n = expected_n
            RETURNING true, c.held_bytes > 2 * c.base_bytes + 65536 INTO applied, crowded;
        EXIT WHEN applied;
        SELECT c.fence, c.n, c.written_by INTO stored_fence, stored_n, stored_by FROM {schema}.checkpoints AS c
            WHERE c.subscription = of_subscription AND c.lane = of_lane
                AND EXISTS (SELECT FROM {schema}.subscriptions WHERE id = of_subscription)
            ORDER BY c.fence DESC, c.n DESC LIMIT 1;
        IF (stored_fence, stored_n) IS DISTINCT FROM (expected_fence, expected_n) THEN
            applied := false;
            RETURN;
        END IF;
    END LOOP;
    IF clears THEN
        DELETE FROM {schema}.hold_changes AS h
            WHERE h.subscription = of_subscription AND h.lane = of_lane AND (h.fence, h.n) < (new_fence, new_n);
    END IF;
    IF held IS NOT NULL THEN
        INSERT INTO {schema}.hold_changes (subscription, lane, fence, n, changes)
            VALUES (of_subscription, of_lane, new_fence, new_n, held);
    END IF;
    IF cardinality(buried) > 0 THEN
        DELETE FROM {schema}.dead_letters AS d
            WHERE d.subscription = of_subscription AND d.lane = of_lane AND d.seq = ANY (buried);
    END IF;
    IF cardinality(carried_out) > 0 THEN
        DELETE FROM {schema}.requests AS r
            WHERE r.subscription = of_subscription AND r.lane = of_lane AND r.id = ANY (carried_out);
    END IF;
END $$;

-- Adds dead letters within a commit of their lane; one of the same place is updated and keeps its id and its edit.
CREATE FUNCTION {schema}.add_dead_letters(
    of_subscription uuid, of_lane int, hold_keys uuid[], event_ids uuid[], seqs bigint[], all_attempts bigint[],
    first_failed bigint[], died bigint[], stored bigint[], times bigint[], owners text[], names text[], causes text[],
    tenants text[], types text[], keys text[], errors text[], faults text[], all_metadata text[], payloads text[],
    edited text[], raws bytea[]
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO {schema}.dead_letters (
        subscription, lane, hold_key, event_id, seq, attempts, first_failed_at, died_at, stored_at, time, owner, name,
        cause, tenant, type, key, error, fault, metadata, payload, edited_payload, raw)
    SELECT of_subscription, of_lane, dead.*
    FROM unnest(hold_keys, event_ids, seqs, all_attempts, first_failed, died, stored, times, owners, names, causes,
                tenants, types, keys, errors, faults, all_metadata, payloads, edited, raws) AS dead
    ON CONFLICT (subscription, lane, seq) DO UPDATE SET
        hold_key = excluded.hold_key, event_id = excluded.event_id, attempts = excluded.attempts,
        first_failed_at = excluded.first_failed_at, died_at = excluded.died_at, stored_at = excluded.stored_at,
        time = excluded.time, owner = excluded.owner, name = excluded.name, cause = excluded.cause,
        tenant = excluded.tenant, type = excluded.type, key = excluded.key, error = excluded.error,
        fault = excluded.fault, metadata = excluded.metadata, payload = excluded.payload, raw = excluded.raw
$$;

-- Puts what held at a version in the place of the changes that led to it, unless another has done so.
CREATE FUNCTION {schema}.put_holds_together(
    of_subscription uuid, of_lane int, old_fence bigint, old_n bigint, at_fence bigint, at_n bigint, whole bytea
) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
    newest record;
BEGIN
    SELECT c.fence, c.n, c.base_fence, c.base_n INTO newest FROM {schema}.checkpoints AS c
        WHERE c.subscription = of_subscription AND c.lane = of_lane
        ORDER BY c.fence DESC, c.n DESC LIMIT 1 FOR UPDATE;
    IF (newest.base_fence, newest.base_n) IS DISTINCT FROM (old_fence, old_n) THEN
        RETURN;
    END IF;
    DELETE FROM {schema}.hold_changes AS h
        WHERE h.subscription = of_subscription AND h.lane = of_lane
            AND (h.fence, h.n) >= (old_fence, old_n) AND (h.fence, h.n) < (at_fence, at_n);
    UPDATE {schema}.hold_changes AS h SET changes = whole
        WHERE h.subscription = of_subscription AND h.lane = of_lane AND h.fence = at_fence AND h.n = at_n;
    UPDATE {schema}.checkpoints AS c
        SET base_fence = at_fence, base_n = at_n, base_bytes = octet_length(whole),
            held_bytes = (SELECT sum(octet_length(h.changes) + 100) FROM {schema}.hold_changes AS h
                          WHERE h.subscription = of_subscription AND h.lane = of_lane
                              AND (h.fence, h.n) >= (at_fence, at_n))
        WHERE c.subscription = of_subscription AND c.lane = of_lane AND c.fence = newest.fence AND c.n = newest.n;
END $$;

-- Who holds the lease after the call, and its counter. It is taken if nobody has it or it stands at what the taker has
-- watched stand still, and kept by its holder.
CREATE FUNCTION {schema}.lease(
    of_name text, taker uuid, stale_holder uuid, stale_counter bigint, OUT held_by uuid, OUT stands_at bigint
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT holder, counter INTO held_by, stands_at FROM {schema}.leases WHERE name = of_name;
    IF NOT FOUND OR held_by = taker OR (held_by, stands_at) IS NOT DISTINCT FROM (stale_holder, stale_counter) THEN
        INSERT INTO {schema}.leases AS held (name, holder, counter) VALUES (of_name, taker, 1)
            ON CONFLICT (name) DO UPDATE SET holder = taker, counter = held.counter + 1
            WHERE held.holder = taker OR (held.holder = stale_holder AND held.counter = stale_counter);
        SELECT holder, counter INTO held_by, stands_at FROM {schema}.leases WHERE name = of_name;
    END IF;
END $$;

-- True unless refused. Of the operations that have ended, those after the newest thousand are forgotten.
CREATE FUNCTION {schema}.save_operation(
    new_id uuid, new_version bigint, is_running boolean, new_ended_at bigint, new_operation text, expected bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF expected IS NULL THEN
        INSERT INTO {schema}.operations (id, version, running, ended_at, operation)
            VALUES (new_id, new_version, is_running, new_ended_at, new_operation) ON CONFLICT DO NOTHING;
    ELSE
        UPDATE {schema}.operations
            SET version = new_version, running = is_running, ended_at = new_ended_at, operation = new_operation
            WHERE id = new_id AND version = expected;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF NOT is_running THEN
        DELETE FROM {schema}.operations WHERE id = ANY (ARRAY(
            SELECT id FROM {schema}.operations WHERE id = ANY (ARRAY(
                SELECT id FROM {schema}.operations WHERE NOT running
                ORDER BY ended_at DESC NULLS LAST, id OFFSET 1000))
            FOR UPDATE SKIP LOCKED));
    END IF;
    RETURN true;
END $$;
