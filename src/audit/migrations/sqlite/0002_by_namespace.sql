-- What one namespace asks leads to its own rows only: the namespace comes first in every index of traits and types.
-- Traits stand beside their event as well, so that it is shown, checked and deleted without a search for them.
CREATE TABLE tenant_types (
    tenant INTEGER NOT NULL, event_type INTEGER NOT NULL, events INTEGER NOT NULL,
    PRIMARY KEY (tenant, event_type)
) WITHOUT ROWID;
CREATE TABLE tenant_traits (
    tenant INTEGER NOT NULL, event_type INTEGER NOT NULL, name INTEGER NOT NULL, kind TEXT NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (tenant, event_type, name, kind)
) WITHOUT ROWID;
-- Bytes of all events, for retention by size: one row.
CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 1), bytes INTEGER NOT NULL);

INSERT INTO words (word) SELECT DISTINCT tenant FROM events WHERE true ON CONFLICT (word) DO NOTHING;

-- What is long comes last: what is before it is read without it.
CREATE TABLE events_new (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    event_type INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    size INTEGER NOT NULL,
    traits TEXT NOT NULL,
    raw TEXT NOT NULL
);
INSERT INTO events_new
SELECT e.sequence, e.message_id, e.event_type, e.generated, (SELECT w.id FROM words w WHERE w.word = e.tenant), e.size,
    (SELECT json_group_array(json_array(w.word, x.kind, x.value)) FROM (
        SELECT name, 's' AS kind, value FROM traits_string WHERE event = e.sequence
        UNION ALL SELECT name, 'i', value FROM traits_integer WHERE event = e.sequence
        UNION ALL SELECT name, 'f', printf('%!.17g', value) FROM traits_float WHERE event = e.sequence
        UNION ALL SELECT name, 'd', value FROM traits_datetime WHERE event = e.sequence
    ) x JOIN words w ON w.id = x.name),
    e.raw
FROM events e;

CREATE TABLE traits_string_new (
    tenant INTEGER NOT NULL, name INTEGER NOT NULL, value TEXT NOT NULL, generated INTEGER NOT NULL,
    event INTEGER NOT NULL, event_type INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event)
) WITHOUT ROWID;
CREATE TABLE traits_integer_new (
    tenant INTEGER NOT NULL, name INTEGER NOT NULL, value INTEGER NOT NULL, generated INTEGER NOT NULL,
    event INTEGER NOT NULL, event_type INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event)
) WITHOUT ROWID;
CREATE TABLE traits_float_new (
    tenant INTEGER NOT NULL, name INTEGER NOT NULL, value REAL NOT NULL, generated INTEGER NOT NULL,
    event INTEGER NOT NULL, event_type INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event)
) WITHOUT ROWID;
CREATE TABLE traits_datetime_new (
    tenant INTEGER NOT NULL, name INTEGER NOT NULL, value INTEGER NOT NULL, generated INTEGER NOT NULL,
    event INTEGER NOT NULL, event_type INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event)
) WITHOUT ROWID;
INSERT INTO traits_string_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_string t JOIN events_new e ON e.sequence = t.event ORDER BY 1, 2, 3, 4, 5;
INSERT INTO traits_integer_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_integer t JOIN events_new e ON e.sequence = t.event ORDER BY 1, 2, 3, 4, 5;
INSERT INTO traits_float_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_float t JOIN events_new e ON e.sequence = t.event ORDER BY 1, 2, 3, 4, 5;
INSERT INTO traits_datetime_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_datetime t JOIN events_new e ON e.sequence = t.event ORDER BY 1, 2, 3, 4, 5;

-- Numbers that were used once are not used again.
DELETE FROM sqlite_sequence WHERE name = 'events_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'events_new', seq FROM sqlite_sequence WHERE name = 'events';
DROP TABLE traits_string;
DROP TABLE traits_integer;
DROP TABLE traits_float;
DROP TABLE traits_datetime;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
ALTER TABLE traits_string_new RENAME TO traits_string;
ALTER TABLE traits_integer_new RENAME TO traits_integer;
ALTER TABLE traits_float_new RENAME TO traits_float;
ALTER TABLE traits_datetime_new RENAME TO traits_datetime;
CREATE INDEX events_by_time ON events (generated, tenant, event_type);
CREATE INDEX events_by_tenant ON events (tenant, generated, event_type);
CREATE INDEX events_by_type ON events (tenant, event_type, generated);

INSERT INTO tenant_types SELECT tenant, event_type, COUNT(*) FROM events GROUP BY tenant, event_type;
INSERT INTO tenant_traits
SELECT tenant, event_type, name, kind, COUNT(*) FROM (
    SELECT tenant, event_type, name, 'string' AS kind FROM traits_string
    UNION ALL SELECT tenant, event_type, name, 'integer' FROM traits_integer
    UNION ALL SELECT tenant, event_type, name, 'float' FROM traits_float
    UNION ALL SELECT tenant, event_type, name, 'datetime' FROM traits_datetime
) GROUP BY tenant, event_type, name, kind;
INSERT INTO totals SELECT 1, COALESCE(SUM(size), 0) FROM events;
