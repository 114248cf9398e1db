-- The same tables as in SQLite. Texts compare by code point ("C"), as they do there.
-- Event types and names of traits: few, and in every row of the tables below.
CREATE TABLE words (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word TEXT COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE events (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id TEXT COLLATE "C" NOT NULL UNIQUE,
    event_type BIGINT NOT NULL,
    generated BIGINT NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    raw TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (generated, message_id);
CREATE INDEX events_by_type ON events (event_type, generated, message_id);
CREATE INDEX events_by_tenant ON events (tenant, generated, message_id);

CREATE TABLE traits_string (
    event BIGINT NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name BIGINT NOT NULL, value TEXT COLLATE "C" NOT NULL, event_type BIGINT NOT NULL, generated BIGINT NOT NULL,
    PRIMARY KEY (event, name)
);
CREATE INDEX traits_string_by_value ON traits_string (name, value, generated, event);
CREATE INDEX traits_string_by_type ON traits_string (event_type, name, value, generated, event);

CREATE TABLE traits_integer (
    event BIGINT NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name BIGINT NOT NULL, value BIGINT NOT NULL, event_type BIGINT NOT NULL, generated BIGINT NOT NULL,
    PRIMARY KEY (event, name)
);
CREATE INDEX traits_integer_by_value ON traits_integer (name, value, generated, event);
CREATE INDEX traits_integer_by_type ON traits_integer (event_type, name, value, generated, event);

CREATE TABLE traits_float (
    event BIGINT NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, event_type BIGINT NOT NULL, generated BIGINT NOT NULL,
    PRIMARY KEY (event, name)
);
CREATE INDEX traits_float_by_value ON traits_float (name, value, generated, event);
CREATE INDEX traits_float_by_type ON traits_float (event_type, name, value, generated, event);

CREATE TABLE traits_datetime (
    event BIGINT NOT NULL REFERENCES events (sequence) ON DELETE CASCADE,
    name BIGINT NOT NULL, value BIGINT NOT NULL, event_type BIGINT NOT NULL, generated BIGINT NOT NULL,
    PRIMARY KEY (event, name)
);
CREATE INDEX traits_datetime_by_value ON traits_datetime (name, value, generated, event);
CREATE INDEX traits_datetime_by_type ON traits_datetime (event_type, name, value, generated, event);
