"""publish.py URL COUNT: publishes so many events, each in a transaction of its own, and rolls back as many."""

import json
import sys
import uuid

import psycopg
from psycopg.types.json import Json, Jsonb

KEY = "psycopg"
POSITIONS = "select busway.publish(%s, %s, %s, %s)"
NAMES = "select busway.publish(type => %s, tenant => %s, payload => %s, key => %s, metadata => %s, id => %s)"


def ways(payload):
    """Every way in which psycopg may hand the arguments over."""
    yield POSITIONS, ("order.changed", "acme", json.dumps(payload), KEY)
    yield POSITIONS, ("order.changed", "acme", Json(payload), KEY)
    yield POSITIONS, ("order.changed", "acme", Jsonb(payload), KEY)
    yield NAMES, ("order.changed", "acme", Jsonb(payload), KEY, Jsonb({"actorId": "py"}), uuid.uuid4())
    yield NAMES, ("order.changed", "acme", json.dumps(payload), KEY, None, None)


with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for n in range(1, int(sys.argv[2]) + 1):
        for is_kept in (False, True):
            way = list(ways({"key": KEY, "n": n}))[n % 5]
            with connection.transaction(force_rollback=not is_kept):
                (event,) = connection.execute(*way).fetchone()
                connection.execute("insert into told (event, key, n) values (%s, %s, %s)", (event, KEY, n))
