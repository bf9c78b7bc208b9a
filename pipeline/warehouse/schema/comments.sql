-- What each table and column is. dbt's sources say the same of raw, and its models comment on theirs themselves.

COMMENT ON TABLE raw.export_files IS 'One row a file and content, with what became of it.';
COMMENT ON COLUMN raw.export_files.export_date IS 'Date in the file''s name, else its modification date (UTC).';
COMMENT ON COLUMN raw.export_files.name IS 'Name within the location.';
COMMENT ON COLUMN raw.export_files.size IS 'Bytes.';
COMMENT ON COLUMN raw.export_files.sha256 IS 'Of the file''s bytes: what tells one content from another.';
COMMENT ON COLUMN raw.export_files.modified_at IS 'When the file was last written (UTC).';
COMMENT ON COLUMN raw.export_files.layout IS 'The layout that it was read with.';
COMMENT ON COLUMN raw.export_files.layout_fingerprint IS 'Changes with the layout; the file is then read again.';
COMMENT ON COLUMN raw.export_files.kind IS 'events, or which lookup.';
COMMENT ON COLUMN raw.export_files.exported_at IS 'When Selligent wrote it (UTC).';
COMMENT ON COLUMN raw.export_files.status IS 'loaded, refused, unmatched, duplicate (another file has the same bytes), or replaced by newer content.';
COMMENT ON COLUMN raw.export_files.reason IS 'Why it was refused or left alone; or a warning.';
COMMENT ON COLUMN raw.export_files.rows IS 'Data rows in the file: events + skipped + rejected + suppressed.';
COMMENT ON COLUMN raw.export_files.skipped IS 'Rows with a code that the layout maps to no event.';
COMMENT ON COLUMN raw.export_files.rejected IS 'Rows in raw.rejected_rows.';
COMMENT ON COLUMN raw.export_files.suppressed IS 'Rows of people on the list of SELLIGENT_SUPPRESSED, which are kept nowhere.';
COMMENT ON COLUMN raw.export_files.first_event_at IS 'Earliest event in it (UTC).';
COMMENT ON COLUMN raw.export_files.last_event_at IS 'Latest event in it (UTC).';
COMMENT ON COLUMN raw.export_files.loaded_at IS 'When it was loaded (UTC).';
COMMENT ON COLUMN raw.export_files.records IS 'Data rows in the file, counted from its bytes, without the parse that rows come from.';
COMMENT ON COLUMN raw.export_files.suspect_rows IS 'Rows with a quoted value that looks like several rows: its quotes may be stray.';
COMMENT ON COLUMN raw.export_files.suspect_line IS 'The line on which the first of them begins.';
COMMENT ON COLUMN raw.export_files.load_number IS 'Number of the load that it came with: a later load has a higher one, whatever the clocks say.';

COMMENT ON TABLE raw.events IS 'Every data row of every events file, as text, with what the layout makes of it.';
COMMENT ON COLUMN raw.events.export_date IS 'Date of the export.';
COMMENT ON COLUMN raw.events.file IS 'Name of the file.';
COMMENT ON COLUMN raw.events.export IS 'The same for all parts of an export that was split; else the name of the file.';
COMMENT ON COLUMN raw.events.row_number IS 'Which row of the file, counting those that could be read.';
COMMENT ON COLUMN raw.events.layout IS 'The layout that it was read with.';
COMMENT ON COLUMN raw.events.exported_at IS 'When Selligent wrote the file (UTC).';
COMMENT ON COLUMN raw.events.loaded_at IS 'When the row was loaded (UTC).';
COMMENT ON COLUMN raw.events.user_id IS 'Text of the column that means user_id.';
COMMENT ON COLUMN raw.events.email IS 'Text of the column that means email.';
COMMENT ON COLUMN raw.events.selligent_user_id IS 'Text of the column that means selligent_user_id.';
COMMENT ON COLUMN raw.events.email_id IS 'Text of the column that means email_id.';
COMMENT ON COLUMN raw.events.email_subject IS 'Text of the column that means email_subject.';
COMMENT ON COLUMN raw.events.campaign_id IS 'Text of the column that means campaign_id.';
COMMENT ON COLUMN raw.events.campaign_name IS 'Text of the column that means campaign_name.';
COMMENT ON COLUMN raw.events.link_id IS 'Text of the column that means link_id.';
COMMENT ON COLUMN raw.events.link_name IS 'Text of the column that means link_name.';
COMMENT ON COLUMN raw.events.list_id IS 'Text of the column that means list_id.';
COMMENT ON COLUMN raw.events.list_name IS 'Text of the column that means list_name.';
COMMENT ON COLUMN raw.events.timestamp IS 'Text of the column that means timestamp.';
COMMENT ON COLUMN raw.events.event_id IS 'Text of the column that means event_id.';
COMMENT ON COLUMN raw.events.send_id IS 'Text of the column that means send_id.';
COMMENT ON COLUMN raw.events.is_bot IS 'Text of the column that means is_bot.';
COMMENT ON COLUMN raw.events.event_code IS 'Text of the column that tells the event.';
COMMENT ON COLUMN raw.events.extra IS 'Columns that the layout does not name, as JSON.';
COMMENT ON COLUMN raw.events.event IS 'The event that the layout makes of it; none: known and skipped, or rejected.';
COMMENT ON COLUMN raw.events.occurred_at IS 'The instant that the text in timestamp means (UTC).';
COMMENT ON COLUMN raw.events.time_note IS 'ambiguous or nonexistent, where the clocks were being changed.';
COMMENT ON COLUMN raw.events.rejected_because IS 'Why the row is in raw.rejected_rows; none: it is not.';

COMMENT ON TABLE raw.rejected_rows IS 'Every row that could not be read or understood.';
COMMENT ON COLUMN raw.rejected_rows.export_date IS 'Date of the export.';
COMMENT ON COLUMN raw.rejected_rows.file IS 'Name of the file.';
COMMENT ON COLUMN raw.rejected_rows.line IS 'Line of the row; the header is line 1.';
COMMENT ON COLUMN raw.rejected_rows.reason IS 'What is wrong with it.';
COMMENT ON COLUMN raw.rejected_rows.text IS 'The row.';
COMMENT ON COLUMN raw.rejected_rows.loaded_at IS 'When it was loaded (UTC).';

COMMENT ON TABLE raw.lookups IS 'Names and contacts from lookup files; all snapshots, of which the newest wins.';
COMMENT ON COLUMN raw.lookups.export_date IS 'Date of the snapshot.';
COMMENT ON COLUMN raw.lookups.file IS 'Name of the file.';
COMMENT ON COLUMN raw.lookups.row_number IS 'Which row of the file.';
COMMENT ON COLUMN raw.lookups.kind IS 'emails, campaigns, links, lists or contacts.';
COMMENT ON COLUMN raw.lookups.exported_at IS 'When Selligent wrote the file (UTC).';
COMMENT ON COLUMN raw.lookups.loaded_at IS 'When the row was loaded (UTC).';
COMMENT ON COLUMN raw.lookups.email_id IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.email_subject IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.campaign_id IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.campaign_name IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.link_id IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.link_name IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.list_id IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.list_name IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.selligent_user_id IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.user_id IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.email IS 'As in the file; none where the kind has none.';
COMMENT ON COLUMN raw.lookups.load_number IS 'Number of the load that it came with, as in raw.export_files.';

COMMENT ON TABLE raw.suppressed IS 'Who must not be loaded, modelled or delivered, as hashes.';
COMMENT ON COLUMN raw.suppressed.kind IS 'user_id, email, or contact: a list id and Selligent user id that lookups told; former contact: of nobody on the list now.';
COMMENT ON COLUMN raw.suppressed.digest IS 'sha256 of kind, colon, and the value as it is compared.';
COMMENT ON COLUMN raw.suppressed.through IS 'Of a contact: the digest of the person that it belongs to.';
COMMENT ON COLUMN raw.suppressed.listed_at IS 'When it was first found on the list, or learnt from a lookup (UTC).';
COMMENT ON COLUMN raw.suppressed.modelled_at IS 'When the event tables were rid of the person (UTC); none: not yet.';
COMMENT ON COLUMN raw.suppressed.withdrawn_at IS 'When the person''s waiting events were withdrawn (UTC); none: not yet.';
COMMENT ON COLUMN raw.suppressed.listing IS 'Which reading of the list, or of a lookup, the row came from.';

COMMENT ON TABLE raw.origin IS 'What this warehouse was begun with and can''t be used without: settings, the number of its tables, and the ledger that it goes with.';
COMMENT ON COLUMN raw.origin.name IS 'A setting, schema_version, or pair, generation and ledger_generation, which tell the ledger.';
COMMENT ON COLUMN raw.origin.value IS 'What it was, or is.';

COMMENT ON TABLE delivery.outbox IS 'One row an event that was ever due, with its message; a batch never changes after it was cut.';
COMMENT ON COLUMN delivery.outbox.id IS 'The event''s id, which is its messageId.';
COMMENT ON COLUMN delivery.outbox.event IS 'Table of the event, such as email_opened.';
COMMENT ON COLUMN delivery.outbox.export_date IS 'Date of the export that says the event.';
COMMENT ON COLUMN delivery.outbox.timestamp IS 'When the event happened (UTC).';
COMMENT ON COLUMN delivery.outbox.batch_id IS 'The batch that it goes out in; none: it is dead.';
COMMENT ON COLUMN delivery.outbox.sequence IS 'Which batch of its event and date, in the order of sending.';
COMMENT ON COLUMN delivery.outbox.payload IS 'The message as it is sent, JSON.';
COMMENT ON COLUMN delivery.outbox.dead_because IS 'Why Segment would drop it without a word, so that it is not sent; none: it is sent.';
COMMENT ON COLUMN delivery.outbox.cut_at IS 'When it was cut (UTC).';

COMMENT ON TABLE delivery.batches IS 'One row a batch: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.batches.batch_id IS 'A hash of all ids in it, and of its sequence.';
COMMENT ON COLUMN delivery.batches.event IS 'Table of its events.';
COMMENT ON COLUMN delivery.batches.export_date IS 'Date of the export that says its events.';
COMMENT ON COLUMN delivery.batches.events IS 'How many events it was cut with, less those that were replayed.';
COMMENT ON COLUMN delivery.batches.status IS 'waiting or delivered; what is dead are single events of it.';
COMMENT ON COLUMN delivery.batches.attempts IS 'How often it was tried.';
COMMENT ON COLUMN delivery.batches.first_attempt_at IS 'When it was first tried, so from when on Segment may have it (UTC).';
COMMENT ON COLUMN delivery.batches.delivered_at IS 'When Segment took it (UTC).';
COMMENT ON COLUMN delivery.batches.reason IS 'What the last attempt came to, where it was no success.';

COMMENT ON TABLE delivery.dead_events IS 'One row an event that is not delivered: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.dead_events.id IS 'The event''s id.';
COMMENT ON COLUMN delivery.dead_events.event IS 'Table of the event.';
COMMENT ON COLUMN delivery.dead_events.export_date IS 'Date of the export that says the event.';
COMMENT ON COLUMN delivery.dead_events.batch_id IS 'The batch that it was in; none: it never was in one.';
COMMENT ON COLUMN delivery.dead_events.reason IS 'Why it is dead.';
COMMENT ON COLUMN delivery.dead_events.died_at IS 'Since when (UTC).';

COMMENT ON TABLE delivery.forgotten_events IS 'How many events were forgotten, which is all that is known of them: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.forgotten_events.batch_id IS 'The batch that they were in; where nothing of it is left, a hash instead.';
COMMENT ON COLUMN delivery.forgotten_events.event IS 'Table of the events.';
COMMENT ON COLUMN delivery.forgotten_events.export_date IS 'Date of the export that said the events.';
COMMENT ON COLUMN delivery.forgotten_events.events IS 'How many.';

COMMENT ON TABLE delivery.withheld_dates IS 'Export dates whose events are not due until they are released: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.withheld_dates.export_date IS 'The date.';
COMMENT ON COLUMN delivery.withheld_dates.withheld_at IS 'Since when (UTC).';

-- A DuckLake takes no comments on columns of views.
COMMENT ON VIEW delivery.events IS 'One row an event that was ever due, with what became of it. id: the event''s id; event: its table; export_date: date of the export that says it; status: waiting, delivered or dead; delivered_at: when Segment took it (UTC); attempts: how often its batch was tried; reason: why it is dead or still waiting.';
