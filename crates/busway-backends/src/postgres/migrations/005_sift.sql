-- As before, but the entries come first, and how far was looked is found out only if there are fewer than were wanted.
-- Else it is known: as far as the last of them. So a filter that most entries pass costs little more than none.
CREATE OR REPLACE FUNCTION {schema}.sift(part int, of smallint, start bigint, until bigint, backward boolean, types text[],
                                         prefixes text[], shapes text[], whose text, except_of text[], most bigint,
                                         look_at int)
RETURNS SETOF {schema}.domain_events LANGUAGE plpgsql STABLE
SET enable_sort = off SET jit = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    name   text := format('domain_events_%s', part);
    range  text := CASE WHEN backward THEN 'e.seq < $2 AND e.seq >= $3' ELSE 'e.seq > $2 AND e.seq <= $3' END;
    way    text := CASE WHEN backward THEN 'DESC' ELSE 'ASC' END;
    gone   bigint := (SELECT pruned FROM {schema}.lanes WHERE lane = of);
    wanted text := 'true';
    edge   {schema}.domain_events;
    found  bigint;
BEGIN
    IF types IS NOT NULL THEN
        wanted := '(e.type = ANY ($6) OR e.type ^@ ANY ($7) OR e.type ~ ANY ($8))';
    END IF;
    IF whose IS NOT NULL THEN
        wanted := wanted || ' AND e.tenant = $9';
    END IF;
    IF except_of IS NOT NULL THEN
        wanted := wanted || ' AND e.tenant <> ALL ($10)';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT * FROM (SELECT * FROM {schema}.%I AS e WHERE e.lane = $1 AND %s AND e.seq > $4 ORDER BY e.seq %s LIMIT $5) AS e
         WHERE %s ORDER BY e.seq %s LIMIT $11', name, range, way, wanted, way)
        USING of, start, until, gone, look_at, types, prefixes, shapes, whose, except_of, most;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found < most THEN
        EXECUTE format(
            'SELECT e.seq FROM {schema}.%I AS e WHERE e.lane = $1 AND %s AND e.seq > $4 ORDER BY e.seq %s OFFSET $5 LIMIT 1',
            name, range, way) INTO edge.seq USING of, start, until, gone, look_at - 1;
        RETURN NEXT edge;
    END IF;
END $$;
