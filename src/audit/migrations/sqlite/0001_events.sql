-- Event types and names of traits: few, and in every row of the tables below.
CREATE TABLE words (
    id INTEGER PRIMARY KEY,
    word TEXT NOT NULL UNIQUE
);

-- AUTOINCREMENT: a number is never used again, so that a reader who follows misses nothing.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    event_type INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    size INTEGER NOT NULL,
    raw TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (generated, message_id);
CREATE INDEX events_by_type ON events (event_type, generated, message_id);
CREATE INDEX events_by_tenant ON events (tenant, generated, message_id);

CREATE TABLE traits_string (
    event INTEGER NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name INTEGER NOT NULL, value TEXT NOT NULL, event_type INTEGER NOT NULL, generated INTEGER NOT NULL,
    PRIMARY KEY (event, name)
) WITHOUT ROWID;
CREATE INDEX traits_string_by_value ON traits_string (name, value, generated, event);
CREATE INDEX traits_string_by_type ON traits_string (event_type, name, value, generated, event);

CREATE TABLE traits_integer (
    event INTEGER NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name INTEGER NOT NULL, value INTEGER NOT NULL, event_type INTEGER NOT NULL, generated INTEGER NOT NULL,
    PRIMARY KEY (event, name)
) WITHOUT ROWID;
CREATE INDEX traits_integer_by_value ON traits_integer (name, value, generated, event);
CREATE INDEX traits_integer_by_type ON traits_integer (event_type, name, value, generated, event);

CREATE TABLE traits_float (
    event INTEGER NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name INTEGER NOT NULL, value REAL NOT NULL, event_type INTEGER NOT NULL, generated INTEGER NOT NULL,
    PRIMARY KEY (event, name)
) WITHOUT ROWID;
CREATE INDEX traits_float_by_value ON traits_float (name, value, generated, event);
CREATE INDEX traits_float_by_type ON traits_float (event_type, name, value, generated, event);

CREATE TABLE traits_datetime (
    event INTEGER NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name INTEGER NOT NULL, value INTEGER NOT NULL, event_type INTEGER NOT NULL, generated INTEGER NOT NULL,
    PRIMARY KEY (event, name)
) WITHOUT ROWID;
CREATE INDEX traits_datetime_by_value ON traits_datetime (name, value, generated, event);
CREATE INDEX traits_datetime_by_type ON traits_datetime (event_type, name, value, generated, event);
