-- Delay from an event to its export (sent_at - timestamp), and to its delivery (delivered_at - timestamp). A bar counts
-- delays of at most that many seconds, and longer than the bar before.
WITH delays AS (
    SELECT 'exported' AS what, (epoch_ms(exported_at) - epoch_ms(timestamp)) // 1000 AS seconds
    FROM staging.events WHERE export_date BETWEEN $first AND $last
    UNION ALL
    SELECT 'delivered', (epoch_ms(batches.delivered_at) - epoch_ms(outbox.timestamp)) // 1000
    FROM delivery.outbox AS outbox JOIN delivery.batches AS batches ON outbox.batch_id = batches.batch_id
    WHERE outbox.export_date BETWEEN $first AND $last AND batches.status = 'delivered'
        AND outbox.event <> 'identifies'
        AND outbox.id NOT IN (SELECT id FROM delivery.dead_events WHERE id IS NOT NULL)
),
limits AS (
    SELECT unnest([-1, 3600, 21600, 43200, 86400, 172800, 604800, 2592000, NULL]) AS at_most
),
bars AS (
    SELECT what,
        CASE
            WHEN seconds < 0 THEN -1 WHEN seconds <= 3600 THEN 3600 WHEN seconds <= 21600 THEN 21600
            WHEN seconds <= 43200 THEN 43200 WHEN seconds <= 86400 THEN 86400 WHEN seconds <= 172800 THEN 172800
            WHEN seconds <= 604800 THEN 604800 WHEN seconds <= 2592000 THEN 2592000
        END AS at_most,
        count(*) AS events
    FROM delays
    GROUP BY ALL
)
SELECT
    limits.at_most,
    coalesce(sum(bars.events) FILTER (bars.what = 'exported'), 0)::BIGINT AS exported,
    coalesce(sum(bars.events) FILTER (bars.what = 'delivered'), 0)::BIGINT AS delivered
FROM limits LEFT JOIN bars ON limits.at_most IS NOT DISTINCT FROM bars.at_most
GROUP BY limits.at_most
ORDER BY limits.at_most NULLS LAST;
