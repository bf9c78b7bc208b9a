-- Rows that could not be read or used, by reason; quoted values are omitted, since they may be personal.
SELECT
    left(regexp_replace(regexp_replace(reason, '(?s)''.*''', '''…'''), '\S+@\S+', '(address)', 'g'), 300) AS reason,
    count(*) AS rows,
    count(DISTINCT file) AS files,
    regexp_replace(arg_min(file, (export_date, file, line)), '\S+@\S+', '(address)', 'g') AS first_file,
    arg_min(line, (export_date, file, line)) AS first_line
FROM raw.rejected_rows
WHERE export_date BETWEEN $first AND $last
GROUP BY 1
ORDER BY rows DESC, reason
LIMIT 40;
