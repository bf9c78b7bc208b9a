-- Every event row is an event of its export date, says again what an export said, or is of somebody who has been left
-- out since. The events are also counted in `tracks`, by their ids.
WITH span AS (
    SELECT min(timestamp) AS first, max(timestamp) AS last
    FROM staging.event_rows WHERE export_date BETWEEN $first AND $last
),
said AS (
    SELECT export_date, id, count(*) AS rows
    FROM staging.event_rows WHERE export_date BETWEEN $first AND $last GROUP BY export_date, id
),
known AS (
    SELECT id, events.export_date
    FROM staging.events AS events, span
    WHERE events.timestamp BETWEEN span.first AND span.last
),
listed AS (
    SELECT count(*) > 0 AS anybody FROM raw.suppressed
),
parts AS (
    SELECT
        said.export_date,
        sum(said.rows) AS event_rows,
        sum(CASE WHEN known.export_date = said.export_date THEN said.rows - 1
            WHEN known.id IS NOT NULL THEN said.rows END) AS said_before,
        sum(said.rows) FILTER (known.id IS NULL) AS left_out,
        0 AS events,
        0 AS tracked
    FROM said LEFT JOIN known ON said.id = known.id
    GROUP BY said.export_date
    UNION ALL BY NAME
    SELECT export_date, count(*) AS events
    FROM staging.events WHERE export_date BETWEEN $first AND $last GROUP BY export_date
    UNION ALL BY NAME
    SELECT known.export_date, count(*) AS tracked
    FROM (
        SELECT CAST(tracks.id AS UUID) AS id
        FROM tracks, span WHERE tracks.timestamp BETWEEN span.first AND span.last
    ) AS tracks JOIN known ON tracks.id = known.id
    WHERE known.export_date BETWEEN $first AND $last
    GROUP BY known.export_date
),
dates AS (
    SELECT
        export_date,
        coalesce(sum(event_rows), 0)::BIGINT AS event_rows,
        coalesce(sum(events), 0)::BIGINT AS events,
        coalesce(sum(said_before), 0)::BIGINT AS said_before,
        coalesce(sum(left_out), 0)::BIGINT AS left_out,
        coalesce(sum(tracked), 0)::BIGINT AS tracked
    FROM parts
    GROUP BY export_date
)
SELECT
    export_date,
    sum(event_rows)::BIGINT AS event_rows,
    sum(events)::BIGINT AS events,
    sum(said_before)::BIGINT AS said_before,
    sum(left_out)::BIGINT AS left_out,
    sum(tracked)::BIGINT AS tracked,
    bool_and(
        event_rows = events + said_before + left_out AND events = tracked AND (left_out = 0 OR listed.anybody)
    ) AS reconciles
FROM dates, listed
GROUP BY ROLLUP (export_date)
ORDER BY export_date NULLS LAST;
