\set lane random(0, 7)
\set tenant random(0, 15)
\set key random(0, 255)
\set mid random(100, 999)
\set low random(100000000000000, 999999999999999)
INSERT INTO domain_events (seq, stored_at, "time", id, lane, tenant, type, key, payload)
VALUES (nextval('draws'), clock_timestamp(), now(),
        ('0' || to_hex((extract(epoch FROM now()) * 1000)::bigint) || '7' || :mid::text || '8' || :low::text)::uuid,
        :lane, 'tenant-' || :tenant::text, 'shift.signup.created', 'key-' || :key::text, :payload);
