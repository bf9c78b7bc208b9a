CREATE SCHEMA IF NOT EXISTS delivery;

CREATE TABLE IF NOT EXISTS delivery.outbox (
    id VARCHAR,
    event VARCHAR,
    export_date DATE,
    timestamp TIMESTAMPTZ,
    batch_id VARCHAR,
    sequence INTEGER,
    dead_because VARCHAR,
    cut_at TIMESTAMPTZ
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

CREATE VIEW IF NOT EXISTS delivery.events AS
SELECT
    outbox.id,
    outbox.event,
    outbox.export_date,
    CASE WHEN dead_events.id IS NOT NULL THEN 'dead' ELSE coalesce(batches.status, 'waiting') END AS status,
    CASE WHEN dead_events.id IS NULL THEN batches.delivered_at END AS delivered_at,
    coalesce(batches.attempts, 0) AS attempts,
    coalesce(dead_events.reason, batches.reason) AS reason
FROM delivery.outbox
LEFT JOIN delivery.batches ON outbox.batch_id = batches.batch_id
LEFT JOIN delivery.dead_events ON outbox.id = dead_events.id;
