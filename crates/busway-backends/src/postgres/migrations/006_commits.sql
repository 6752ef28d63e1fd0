-- As before, of commits that may also change holds: `helds` are their changes of these. Of those applied is also told whether
-- the changes of holds have outgrown what holds, and should be put together.
CREATE FUNCTION {schema}.commit_lanes(
    subscriptions uuid[], lanes int[], expected_fences bigint[], expected_ns bigint[],
    positions bigint[], fences bigint[], ns bigint[], written_bys bigint[], holders uuid[], releaseds boolean[],
    handed_seqs bigint[], handed_keys uuid[], handed_turns bigint[], probations bigint[], all_segments text[],
    delivereds bigint[], faileds bigint[], helds bytea[],
    OUT applied boolean[], OUT crowded boolean[]
) LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET lock_timeout = '1s' AS $$
DECLARE
    moved    record;
    outgrown boolean;
BEGIN
    FOR moved IN
        SELECT * FROM unnest(subscriptions, lanes, expected_fences, expected_ns, positions, fences, ns, written_bys,
                             holders, releaseds, handed_seqs, handed_keys, handed_turns, probations, all_segments,
                             delivereds, faileds, helds)
            AS m(subscription, lane, expected_fence, expected_n, position, fence, n, written_by,
                 holder, released, handed_seq, handed_key, handed_turn, probation, segments, delivered, failed, held)
    LOOP
        outgrown := NULL;
        UPDATE {schema}.checkpoints AS c
            SET position = moved.position, fence = moved.fence, n = moved.n, written_by = moved.written_by,
                holder = moved.holder, released = moved.released, handed_seq = moved.handed_seq,
                handed_key = moved.handed_key, handed_turn = moved.handed_turn, probation = moved.probation,
                segments = moved.segments, delivered = moved.delivered, failed = moved.failed,
                held_bytes = c.held_bytes + coalesce(octet_length(moved.held) + 100, 0)
            WHERE c.subscription = moved.subscription AND c.lane = moved.lane
                AND c.fence = moved.expected_fence AND c.n = moved.expected_n
            RETURNING c.held_bytes > 2 * c.base_bytes + 65536 INTO outgrown;
        applied := applied || (outgrown IS NOT NULL);
        crowded := crowded || coalesce(outgrown, false);
        IF outgrown IS NOT NULL AND moved.held IS NOT NULL THEN
            INSERT INTO {schema}.hold_changes (subscription, lane, fence, n, changes)
                VALUES (moved.subscription, moved.lane, moved.fence, moved.n, moved.held);
        END IF;
    END LOOP;
END $$;
