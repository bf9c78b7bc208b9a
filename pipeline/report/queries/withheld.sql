-- Export dates whose events are not due until a run with --release.
SELECT withheld.export_date, withheld.withheld_at, coalesce(events.events, 0) AS events
FROM delivery.withheld_dates AS withheld
LEFT JOIN (
    SELECT export_date, count(*) AS events
    FROM staging.events WHERE export_date BETWEEN $first AND $last GROUP BY export_date
) AS events ON withheld.export_date = events.export_date
WHERE withheld.export_date BETWEEN $first AND $last
ORDER BY withheld.export_date;
