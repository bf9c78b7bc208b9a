-- The newest export dates with at least one file that was read or refused.
SELECT min(export_date) AS first, max(export_date) AS last, count(*) AS dates
FROM (
    SELECT DISTINCT export_date FROM raw.export_files
    WHERE status IN ('loaded', 'refused', 'duplicate')
    ORDER BY export_date DESC LIMIT 30
);
