CREATE VIEW IF NOT EXISTS delivery.events AS
SELECT
    outbox.id,
    outbox.event,
    outbox.export_date,
    CASE
        WHEN dead_events.id IS NOT NULL THEN 'dead'
        ELSE coalesce(batches.status, CASE WHEN outbox.held THEN 'held' ELSE 'waiting' END)
    END AS status,
    CASE WHEN dead_events.id IS NULL THEN batches.delivered_at END AS delivered_at,
    coalesce(batches.attempts, 0) AS attempts,
    coalesce(dead_events.reason, batches.reason, CASE WHEN batches.status IS NULL THEN outbox.held_because END) AS reason
FROM delivery.outbox
LEFT JOIN delivery.batches ON outbox.batch_id = batches.batch_id
LEFT JOIN delivery.dead_events ON outbox.id = dead_events.id;
