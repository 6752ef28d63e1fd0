-- Every name begins with busway_: the file may be the application's own.

CREATE TABLE busway_meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- place = lane << 48 | seq: a lane is one range of the primary key, so reading it needs no second index.
-- The payload comes last: what a reader does not want is skipped without touching it.
CREATE TABLE busway_events (
    place     INTEGER PRIMARY KEY,
    id        BLOB NOT NULL,
    tenant    TEXT NOT NULL,
    type      TEXT NOT NULL,
    key       TEXT,
    time      INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    metadata  TEXT,
    payload   TEXT NOT NULL,
    UNIQUE (id, tenant)
) STRICT;

-- Written by pruning alone: what the newest entry removed was. The head of a lane is its last entry, else this.
CREATE TABLE busway_lanes (
    lane      INTEGER PRIMARY KEY,
    pruned    INTEGER NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;

CREATE TABLE busway_subscriptions (
    id      BLOB PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    replay  INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX busway_subscriptions_name ON busway_subscriptions (owner, name) WHERE NOT replay;

CREATE TABLE busway_checkpoints (
    subscription BLOB NOT NULL,
    lane         INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    fence        INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    written_by   INTEGER NOT NULL,
    holder       BLOB,
    released     INTEGER NOT NULL,
    handed_seq   INTEGER,
    handed_key   BLOB,
    handed_turn  INTEGER,
    probation    INTEGER NOT NULL,
    segments     TEXT NOT NULL,
    delivered    INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    PRIMARY KEY (subscription, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE busway_holds (
    subscription BLOB NOT NULL,
    lane         INTEGER NOT NULL,
    key          BLOB NOT NULL,
    turn         INTEGER NOT NULL,
    done         INTEGER NOT NULL,
    head         INTEGER,
    again        INTEGER,
    state        TEXT NOT NULL,
    attempt      INTEGER NOT NULL,
    due          INTEGER NOT NULL,
    fence        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    failures     TEXT,
    PRIMARY KEY (subscription, lane, key)
) STRICT, WITHOUT ROWID;

-- The seqs that a hold remembers: the first, then the distances, as LEB128 numbers.
CREATE TABLE busway_chunks (
    subscription BLOB NOT NULL,
    lane         INTEGER NOT NULL,
    key          BLOB NOT NULL,
    last         INTEGER NOT NULL,
    seqs         BLOB NOT NULL,
    PRIMARY KEY (subscription, lane, key, last)
) STRICT, WITHOUT ROWID;

CREATE TABLE busway_turns (
    subscription BLOB NOT NULL,
    lane         INTEGER NOT NULL,
    turn         INTEGER NOT NULL,
    tenant       TEXT NOT NULL,
    position     INTEGER NOT NULL,
    probation    INTEGER NOT NULL,
    PRIMARY KEY (subscription, lane, turn)
) STRICT, WITHOUT ROWID;

-- event_id is missing where the entry could not be decoded; payload then holds its bytes and fault the reason.
CREATE TABLE busway_dead_letters (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription    BLOB NOT NULL,
    lane            INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    owner           TEXT NOT NULL,
    name            TEXT NOT NULL,
    hold_key        BLOB NOT NULL,
    edited_payload  TEXT,
    error           TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    first_failed_at INTEGER NOT NULL,
    died_at         INTEGER NOT NULL,
    cause           TEXT NOT NULL,
    stored_at       INTEGER NOT NULL,
    event_id        BLOB,
    tenant          TEXT,
    type            TEXT,
    key             TEXT,
    time            INTEGER,
    metadata        TEXT,
    payload         BLOB NOT NULL,
    fault           TEXT,
    UNIQUE (subscription, lane, seq)
) STRICT;

CREATE INDEX busway_dead_letters_tenant ON busway_dead_letters (tenant);
CREATE INDEX busway_dead_letters_name ON busway_dead_letters (owner, name);

CREATE TABLE busway_requests (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription BLOB NOT NULL,
    lane         INTEGER NOT NULL,
    request      TEXT NOT NULL
) STRICT;

CREATE TABLE busway_members (
    id       BLOB PRIMARY KEY,
    name     TEXT NOT NULL,
    counter  INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    serves   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE busway_leases (
    name    TEXT PRIMARY KEY,
    holder  BLOB NOT NULL,
    counter INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE busway_operations (
    id        BLOB PRIMARY KEY,
    version   INTEGER NOT NULL,
    running   INTEGER NOT NULL,
    ended_at  INTEGER,
    operation TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX busway_operations_ended ON busway_operations (ended_at) WHERE NOT running;
