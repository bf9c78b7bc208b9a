-- Delays in seconds: half of the events took at most the median, 95 of 100 at most the 95th percentile.
SELECT what, events, quantiles[1] AS median, quantiles[2] AS p95, quantiles[3] AS longest
FROM (
    SELECT what, count(*) AS events, quantile_disc(seconds, [0.5, 0.95, 1]) AS quantiles
    FROM (
        SELECT 'exported' AS what, (epoch_ms(exported_at) - epoch_ms(timestamp)) // 1000 AS seconds
        FROM staging.events WHERE export_date BETWEEN $first AND $last
        UNION ALL
        SELECT 'delivered', (epoch_ms(batches.delivered_at) - epoch_ms(outbox.timestamp)) // 1000
        FROM delivery.outbox AS outbox JOIN delivery.batches AS batches ON outbox.batch_id = batches.batch_id
        WHERE outbox.export_date BETWEEN $first AND $last AND batches.status = 'delivered'
            AND outbox.event <> 'identifies'
            AND outbox.id NOT IN (SELECT id FROM delivery.dead_events WHERE id IS NOT NULL)
    )
    GROUP BY what
)
ORDER BY what DESC;
