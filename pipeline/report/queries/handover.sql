-- Events in the tables that were never due, such as those of withheld dates, and events that were due and are no longer
-- in a table: a corrected export does not contain them, or their person was suppressed since.
SELECT
    coalesce(events.export_date, outbox.export_date) AS export_date,
    count(events.id) AS events,
    count(*) FILTER (outbox.id IS NULL) AS not_due,
    count(*) FILTER (events.id IS NULL) AS gone_since
FROM (SELECT id, export_date FROM staging.events WHERE export_date BETWEEN $first AND $last) AS events
FULL JOIN (
    SELECT CAST(id AS UUID) AS id, export_date FROM delivery.outbox
    WHERE export_date BETWEEN $first AND $last AND event <> 'identifies'
) AS outbox ON events.id = outbox.id
GROUP BY ROLLUP (coalesce(events.export_date, outbox.export_date))
HAVING count(*) FILTER (outbox.id IS NULL) + count(*) FILTER (events.id IS NULL) > 0
ORDER BY export_date NULLS LAST;
