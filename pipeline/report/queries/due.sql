-- Every event that was ever due is delivered, waiting, dead, held or forgotten, by export date, by event, and in all.
-- `due` is counted in the outbox; the others in the ledger's copies, a batch minus those of its events that died in it.
WITH parts AS (
    SELECT export_date, event, count(*) AS due, 0 AS delivered, 0 AS waiting, 0 AS dead, 0 AS held, 0 AS forgotten
    FROM delivery.outbox WHERE export_date BETWEEN $first AND $last GROUP BY export_date, event
    UNION ALL BY NAME
    SELECT export_date, event,
        sum(events) FILTER (status = 'delivered') AS delivered, sum(events) FILTER (status = 'waiting') AS waiting,
        sum(events) FILTER (status = 'held') AS held
    FROM delivery.batches WHERE export_date BETWEEN $first AND $last GROUP BY export_date, event
    UNION ALL BY NAME
    SELECT dead.export_date, dead.event, count(*) AS dead,
        -count(*) FILTER (batches.status = 'delivered') AS delivered,
        -count(*) FILTER (batches.status = 'waiting') AS waiting, -count(*) FILTER (batches.status = 'held') AS held
    FROM delivery.dead_events AS dead LEFT JOIN delivery.batches AS batches ON dead.batch_id = batches.batch_id
    WHERE dead.export_date BETWEEN $first AND $last GROUP BY dead.export_date, dead.event
    UNION ALL BY NAME
    SELECT gone.export_date, gone.event, sum(gone.events) AS due, sum(gone.events) AS forgotten,
        -sum(gone.events) FILTER (batches.status = 'delivered') AS delivered,
        -sum(gone.events) FILTER (batches.status = 'waiting') AS waiting,
        -sum(gone.events) FILTER (batches.status = 'held') AS held
    FROM delivery.forgotten_events AS gone LEFT JOIN delivery.batches AS batches ON gone.batch_id = batches.batch_id
    WHERE gone.export_date BETWEEN $first AND $last GROUP BY gone.export_date, gone.event
),
each AS (
    SELECT
        export_date, event,
        coalesce(sum(due), 0)::BIGINT AS due,
        coalesce(sum(delivered), 0)::BIGINT AS delivered,
        coalesce(sum(waiting), 0)::BIGINT AS waiting,
        coalesce(sum(dead), 0)::BIGINT AS dead,
        coalesce(sum(held), 0)::BIGINT AS held,
        coalesce(sum(forgotten), 0)::BIGINT AS forgotten
    FROM parts
    GROUP BY export_date, event
)
SELECT
    export_date,
    event,
    sum(due)::BIGINT AS due,
    sum(delivered)::BIGINT AS delivered,
    sum(waiting)::BIGINT AS waiting,
    sum(dead)::BIGINT AS dead,
    sum(held)::BIGINT AS held,
    sum(forgotten)::BIGINT AS forgotten,
    bool_and(due = delivered + waiting + dead + held + forgotten) AS reconciles,
    sum(delivered) / nullif(sum(due), 0) AS delivered_rate
FROM each
GROUP BY GROUPING SETS ((export_date), (event), ())
ORDER BY export_date NULLS LAST, event NULLS LAST;
