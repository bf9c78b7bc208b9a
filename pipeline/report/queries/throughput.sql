-- Deliveries: batches with less than ten minutes between one response and the next are one delivery. A batch's events
-- are counted less the dead and forgotten ones. A first attempt long before the response belongs to another delivery.
WITH lost AS (
    SELECT batch_id, sum(events) AS events
    FROM (
        SELECT batch_id, count(*) AS events FROM delivery.dead_events GROUP BY batch_id
        UNION ALL
        SELECT batch_id, events FROM delivery.forgotten_events
    )
    GROUP BY batch_id
),
answered AS (
    SELECT
        batches.delivered_at,
        CASE WHEN batches.first_attempt_at >= batches.delivered_at - INTERVAL 10 MINUTE
            THEN batches.first_attempt_at ELSE batches.delivered_at END AS began_at,
        batches.events - coalesce(lost.events, 0) AS events
    FROM delivery.batches AS batches LEFT JOIN lost ON batches.batch_id = lost.batch_id
    WHERE batches.status = 'delivered' AND batches.export_date BETWEEN $first AND $last
),
numbered AS (
    SELECT *, count(*) FILTER (is_first) OVER (ORDER BY delivered_at ROWS UNBOUNDED PRECEDING) AS number
    FROM (
        SELECT *,
            coalesce(
                delivered_at - lag(delivered_at) OVER (ORDER BY delivered_at) > INTERVAL 10 MINUTE, true
            ) AS is_first
        FROM answered
    )
)
SELECT
    min(began_at) AS began_at,
    max(delivered_at) AS ended_at,
    count(*) AS batches,
    sum(events)::BIGINT AS events,
    round(epoch(max(delivered_at) - min(began_at)), 1) AS seconds,
    sum(events) / greatest(epoch(max(delivered_at) - min(began_at)), 0.1) AS events_per_second
FROM numbered
GROUP BY number
ORDER BY began_at DESC
LIMIT 30;
