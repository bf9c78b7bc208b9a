-- Files that could not be loaded, and files of whatever date that no layout matches.
SELECT DISTINCT
    export_date,
    regexp_replace(name, '[^\s"''<>(]+@[^\s"''<>)]+', '(address)', 'g') AS file,
    status,
    left(regexp_replace(reason, '[^\s"''<>(]+@[^\s"''<>)]+', '(address)', 'g'), 300) AS reason
FROM raw.export_files
WHERE (status = 'refused' AND export_date BETWEEN $first AND $last) OR status = 'unmatched'
ORDER BY status, export_date DESC, file
LIMIT 100;
