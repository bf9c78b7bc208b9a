-- Every row of every loaded file is an event, a name for a lookup, skipped, rejected or suppressed. Each column is
-- counted in the table of these rows; of suppressed rows, only the number is kept. A file's rows count once for each
-- layout that loads it.
WITH parts AS (
    SELECT export_date, count(DISTINCT name) AS files, sum(rows) AS rows, sum(coalesce(suppressed, 0)) AS suppressed,
        0 AS event_rows, 0 AS skipped, 0 AS lookup_rows, 0 AS rejected
    FROM raw.export_files WHERE status = 'loaded' AND export_date BETWEEN $first AND $last GROUP BY export_date
    UNION ALL BY NAME
    SELECT export_date, count(event) AS event_rows, count(*) - count(event) AS skipped
    FROM raw.events WHERE rejected_because IS NULL AND export_date BETWEEN $first AND $last GROUP BY export_date
    UNION ALL BY NAME
    SELECT export_date, count(*) AS lookup_rows
    FROM raw.lookups WHERE export_date BETWEEN $first AND $last GROUP BY export_date
    UNION ALL BY NAME
    SELECT export_date, count(*) AS rejected
    FROM raw.rejected_rows WHERE export_date BETWEEN $first AND $last GROUP BY export_date
),
dates AS (
    SELECT
        export_date,
        coalesce(sum(files), 0)::BIGINT AS files,
        coalesce(sum(rows), 0)::BIGINT AS rows,
        coalesce(sum(event_rows), 0)::BIGINT AS event_rows,
        coalesce(sum(lookup_rows), 0)::BIGINT AS lookup_rows,
        coalesce(sum(skipped), 0)::BIGINT AS skipped,
        coalesce(sum(rejected), 0)::BIGINT AS rejected,
        coalesce(sum(suppressed), 0)::BIGINT AS suppressed
    FROM parts
    GROUP BY export_date
)
SELECT
    export_date,
    sum(files)::BIGINT AS files,
    sum(rows)::BIGINT AS rows,
    sum(event_rows)::BIGINT AS event_rows,
    sum(lookup_rows)::BIGINT AS lookup_rows,
    sum(skipped)::BIGINT AS skipped,
    sum(rejected)::BIGINT AS rejected,
    sum(suppressed)::BIGINT AS suppressed,
    bool_and(rows = event_rows + lookup_rows + skipped + rejected + suppressed) AS reconciles
FROM dates
GROUP BY ROLLUP (export_date)
ORDER BY export_date NULLS LAST;
