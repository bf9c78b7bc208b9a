-- Why events are not delivered. Addresses in responses are masked.
SELECT
    events.status,
    CASE
        WHEN events.status = 'waiting' AND withheld.export_date IS NOT NULL
            THEN 'withheld until released with --release'
        WHEN events.status = 'held' AND events.reason IS NULL THEN 'of machines; held until released with replay --held'
        ELSE coalesce(
            left(regexp_replace(events.reason, '[^\s"''<>(]+@[^\s"''<>)]+', '(address)', 'g'), 300), 'not tried yet'
        )
    END AS reason,
    count(*) AS events,
    count(DISTINCT events.export_date) AS dates,
    min(events.export_date) AS first_date,
    max(events.export_date) AS last_date
FROM delivery.events AS events
LEFT JOIN delivery.withheld_dates AS withheld ON events.export_date = withheld.export_date
WHERE events.status <> 'delivered' AND events.export_date BETWEEN $first AND $last
GROUP BY 1, 2
ORDER BY status DESC, events DESC, reason
LIMIT 40;
