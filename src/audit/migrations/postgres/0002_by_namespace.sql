-- The same change as in SQLite.
CREATE TABLE tenant_types (
    tenant BIGINT NOT NULL, event_type BIGINT NOT NULL, events BIGINT NOT NULL,
    PRIMARY KEY (tenant, event_type)
);
CREATE TABLE tenant_traits (
    tenant BIGINT NOT NULL, event_type BIGINT NOT NULL, name BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL,
    events BIGINT NOT NULL,
    PRIMARY KEY (tenant, event_type, name, kind)
);
CREATE TABLE totals (id BIGINT PRIMARY KEY CHECK (id = 1), bytes BIGINT NOT NULL);

INSERT INTO words (word) SELECT DISTINCT tenant FROM events ON CONFLICT (word) DO NOTHING;

ALTER TABLE events RENAME COLUMN tenant TO owner;
ALTER TABLE events ADD COLUMN tenant BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN traits TEXT NOT NULL DEFAULT '[]';
UPDATE events e SET
    tenant = (SELECT w.id FROM words w WHERE w.word = e.owner),
    traits = COALESCE((SELECT jsonb_agg(jsonb_build_array(w.word, x.kind, x.value))::text FROM (
        SELECT name, 's' AS kind, to_jsonb(value) AS value FROM traits_string WHERE event = e.sequence
        UNION ALL SELECT name, 'i', to_jsonb(value) FROM traits_integer WHERE event = e.sequence
        UNION ALL SELECT name, 'f', to_jsonb(value::text) FROM traits_float WHERE event = e.sequence
        UNION ALL SELECT name, 'd', to_jsonb(value) FROM traits_datetime WHERE event = e.sequence
    ) x JOIN words w ON w.id = x.name), '[]');
ALTER TABLE events ALTER COLUMN tenant DROP DEFAULT;
ALTER TABLE events ALTER COLUMN traits DROP DEFAULT;

CREATE TABLE traits_string_new (
    tenant BIGINT NOT NULL, name BIGINT NOT NULL, value TEXT COLLATE "C" NOT NULL, generated BIGINT NOT NULL,
    event BIGINT NOT NULL, event_type BIGINT NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event) INCLUDE (event_type)
);
CREATE TABLE traits_integer_new (
    tenant BIGINT NOT NULL, name BIGINT NOT NULL, value BIGINT NOT NULL, generated BIGINT NOT NULL,
    event BIGINT NOT NULL, event_type BIGINT NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event) INCLUDE (event_type)
);
CREATE TABLE traits_float_new (
    tenant BIGINT NOT NULL, name BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, generated BIGINT NOT NULL,
    event BIGINT NOT NULL, event_type BIGINT NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event) INCLUDE (event_type)
);
CREATE TABLE traits_datetime_new (
    tenant BIGINT NOT NULL, name BIGINT NOT NULL, value BIGINT NOT NULL, generated BIGINT NOT NULL,
    event BIGINT NOT NULL, event_type BIGINT NOT NULL,
    PRIMARY KEY (tenant, name, value, generated, event) INCLUDE (event_type)
);
INSERT INTO traits_string_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_string t JOIN events e ON e.sequence = t.event;
INSERT INTO traits_integer_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_integer t JOIN events e ON e.sequence = t.event;
INSERT INTO traits_float_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_float t JOIN events e ON e.sequence = t.event;
INSERT INTO traits_datetime_new SELECT e.tenant, t.name, t.value, t.generated, t.event, t.event_type
    FROM traits_datetime t JOIN events e ON e.sequence = t.event;

DROP TABLE traits_string, traits_integer, traits_float, traits_datetime;
-- Its indexes go with it.
ALTER TABLE events DROP COLUMN owner;
DROP INDEX IF EXISTS events_by_time, events_by_type, events_by_tenant;
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
) AS traits GROUP BY tenant, event_type, name, kind;
INSERT INTO totals SELECT 1, COALESCE(SUM(size), 0) FROM events;
