-- Layout 1. Times are microseconds since 1970-01-01 UTC. Never edit a released layout: add a file.

-- Small facts about the store: its id, and the anchor from which the hash chain verifies.
CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value NOT NULL
) WITHOUT ROWID;

-- The names of the kinds of event that occur in this store.
CREATE TABLE kinds (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- The journal itself. Rows are only ever appended at the end, removed from the front, or erased.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,        -- kinds.id
    schema INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL, -- never smaller than in the row before
    cause INTEGER,                -- events.seq
    correlation INTEGER NOT NULL, -- events.seq
    subject TEXT NOT NULL,
    repository BLOB,              -- 16 bytes
    key TEXT,                     -- idempotency key
    data TEXT,                    -- JSON; null when erased
    salt BLOB,                    -- 16 bytes; null when erased
    digest BLOB,                  -- blake3(salt, data); only kept when erased
    hash BLOB NOT NULL            -- the chain, 32 bytes
);
CREATE UNIQUE INDEX events_key ON events (key) WHERE key IS NOT NULL;
CREATE INDEX events_cause ON events (cause) WHERE cause IS NOT NULL;

-- For a person with the sqlite3 tool.
CREATE VIEW log AS
SELECT seq, strftime('%Y-%m-%dT%H:%M:%fZ', recorded_at / 1e6, 'unixepoch') AS recorded, kinds.name AS kind,
       subject, cause, correlation, lower(hex(repository)) AS repository, key, data
FROM events JOIN kinds ON kinds.id = events.kind;

-- How far each consumer has read. A higher epoch fences off whoever held the lower one.
CREATE TABLE cursors (
    consumer TEXT PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL
) WITHOUT ROWID;

-- The state of a projection after `seq`; may be thrown away at any time.
CREATE TABLE checkpoints (
    projection TEXT PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL,
    state BLOB NOT NULL
);

-- Things to do at a time.
CREATE TABLE schedules (
    name TEXT PRIMARY KEY NOT NULL,
    due_at INTEGER NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX schedules_due ON schedules (due_at, name);

-- Messages to the outside that must not be lost.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    data TEXT NOT NULL,
    error TEXT,                   -- of the last attempt
    UNIQUE (topic, key)
);
CREATE INDEX outbox_due ON outbox (topic, not_before, id);

-- Who may play a role, and until when. The epoch only grows, also over the end of a lease.
CREATE TABLE leases (
    role TEXT PRIMARY KEY NOT NULL,
    owner TEXT,                   -- null when released
    epoch INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- How many migration steps of each room have run.
CREATE TABLE rooms (
    namespace TEXT PRIMARY KEY NOT NULL,
    steps INTEGER NOT NULL
) WITHOUT ROWID;
