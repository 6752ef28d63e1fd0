-- Commits of several lanes in one transaction, of which each moves on its lane's checkpoint and changes nothing else. They
-- are applied in the order in which they come, that of ids and lanes; told is of each whether it was, else the lane did not
-- stand where expected. A lane that somebody keeps locked fails all of them soon, so that the others can go without it.
CREATE FUNCTION {schema}.commit_lanes(
    subscriptions uuid[], lanes int[], expected_fences bigint[], expected_ns bigint[],
    positions bigint[], fences bigint[], ns bigint[], written_bys bigint[], holders uuid[], releaseds boolean[],
    handed_seqs bigint[], handed_keys uuid[], handed_turns bigint[], probations bigint[], all_segments text[],
    delivereds bigint[], faileds bigint[],
    OUT applied boolean[]
) LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET lock_timeout = '1s' AS $$
DECLARE
    moved record;
BEGIN
    FOR moved IN
        SELECT * FROM unnest(subscriptions, lanes, expected_fences, expected_ns, positions, fences, ns, written_bys,
                             holders, releaseds, handed_seqs, handed_keys, handed_turns, probations, all_segments,
                             delivereds, faileds)
            AS m(subscription, lane, expected_fence, expected_n, position, fence, n, written_by,
                 holder, released, handed_seq, handed_key, handed_turn, probation, segments, delivered, failed)
    LOOP
        UPDATE {schema}.checkpoints AS c
            SET position = moved.position, fence = moved.fence, n = moved.n, written_by = moved.written_by,
                holder = moved.holder, released = moved.released, handed_seq = moved.handed_seq,
                handed_key = moved.handed_key, handed_turn = moved.handed_turn, probation = moved.probation,
                segments = moved.segments, delivered = moved.delivered, failed = moved.failed
            WHERE c.subscription = moved.subscription AND c.lane = moved.lane
                AND c.fence = moved.expected_fence AND c.n = moved.expected_n;
        applied := applied || FOUND;
    END LOOP;
END $$;

-- As before, with the lanes locked in the order in which commits lock them, so that neither waits for the other in turn.
CREATE OR REPLACE FUNCTION {schema}.remove_subscription(gone uuid, keep_dead_letters boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.subscriptions WHERE id = gone;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM {schema}.checkpoints AS c WHERE c.subscription = gone ORDER BY c.lane FOR UPDATE;
    DELETE FROM {schema}.checkpoints WHERE subscription = gone;
    DELETE FROM {schema}.hold_changes WHERE subscription = gone;
    DELETE FROM {schema}.requests WHERE subscription = gone;
    IF NOT keep_dead_letters THEN
        DELETE FROM {schema}.dead_letters WHERE subscription = gone;
    END IF;
    UPDATE {schema}.changes SET value = value + 1;
    RETURN true;
END $$;
