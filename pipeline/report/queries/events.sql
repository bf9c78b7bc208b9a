-- Every event row is an event of its export date, a duplicate of an event of this or another export, or of a person who
-- was suppressed since. The events are also counted in `tracks`, by their ids.
WITH span AS (
    SELECT min(timestamp) AS first, max(timestamp) AS last
    FROM staging.event_rows WHERE export_date BETWEEN $first AND $last
),
rows_by_id AS (
    SELECT export_date, id, count(*) AS rows
    FROM staging.event_rows WHERE export_date BETWEEN $first AND $last GROUP BY export_date, id
),
known AS (
    SELECT id, events.export_date
    FROM staging.events AS events, span
    WHERE events.timestamp BETWEEN span.first AND span.last
),
listed AS (
    SELECT count(*) > 0 AS people FROM raw.suppressed
),
parts AS (
    SELECT
        rows_by_id.export_date,
        sum(rows_by_id.rows) AS event_rows,
        sum(CASE WHEN known.export_date = rows_by_id.export_date THEN rows_by_id.rows - 1
            WHEN known.id IS NOT NULL THEN rows_by_id.rows END) AS duplicates,
        sum(rows_by_id.rows) FILTER (known.id IS NULL) AS suppressed_since,
        0 AS events,
        0 AS tracked
    FROM rows_by_id LEFT JOIN known ON rows_by_id.id = known.id
    GROUP BY rows_by_id.export_date
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
        coalesce(sum(duplicates), 0)::BIGINT AS duplicates,
        coalesce(sum(suppressed_since), 0)::BIGINT AS suppressed_since,
        coalesce(sum(tracked), 0)::BIGINT AS tracked
    FROM parts
    GROUP BY export_date
)
SELECT
    export_date,
    sum(event_rows)::BIGINT AS event_rows,
    sum(events)::BIGINT AS events,
    sum(duplicates)::BIGINT AS duplicates,
    sum(suppressed_since)::BIGINT AS suppressed_since,
    sum(tracked)::BIGINT AS tracked,
    bool_and(
        event_rows = events + duplicates + suppressed_since AND events = tracked AND (suppressed_since = 0 OR listed.people)
    ) AS reconciles
FROM dates, listed
GROUP BY ROLLUP (export_date)
ORDER BY export_date NULLS LAST;
