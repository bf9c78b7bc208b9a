CREATE SCHEMA IF NOT EXISTS delivery;

CREATE TABLE IF NOT EXISTS delivery.outbox (
    id VARCHAR,
    event VARCHAR,
    export_date DATE,
    timestamp TIMESTAMPTZ,
    batch_id VARCHAR,
    sequence INTEGER,
    dead_because VARCHAR,
    cut_at TIMESTAMPTZ,
    held BOOLEAN,
    held_because VARCHAR
);

ALTER TABLE delivery.outbox SET PARTITIONED BY (year(export_date), month(export_date), event);

CREATE TABLE IF NOT EXISTS delivery.batches (
    batch_id VARCHAR,
    event VARCHAR,
    export_date DATE,
    events INTEGER,
    status VARCHAR,
    attempts INTEGER,
    first_attempt_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ,
    reason VARCHAR
);

CREATE TABLE IF NOT EXISTS delivery.dead_events (
    id VARCHAR,
    event VARCHAR,
    export_date DATE,
    batch_id VARCHAR,
    reason VARCHAR,
    died_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS delivery.forgotten_events (
    batch_id VARCHAR,
    event VARCHAR,
    export_date DATE,
    events INTEGER
);

CREATE TABLE IF NOT EXISTS delivery.withheld_dates (
    export_date DATE,
    withheld_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS delivery.earlier_deliveries (
    id VARCHAR,
    batch_id VARCHAR,
    event VARCHAR,
    export_date DATE,
    events INTEGER,
    attempts INTEGER,
    first_attempt_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ,
    replayed_at TIMESTAMPTZ
);
