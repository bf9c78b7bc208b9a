-- The description of each table and column that no model makes. dbt's models describe their own.

COMMENT ON TABLE raw.export_files IS 'One row for each file, layout and content, with its status.';
COMMENT ON COLUMN raw.export_files.export_date IS 'Date in the file''s name, else its modification date (UTC).';
COMMENT ON COLUMN raw.export_files.name IS 'Name, relative to the location.';
COMMENT ON COLUMN raw.export_files.size IS 'Size in bytes.';
COMMENT ON COLUMN raw.export_files.sha256 IS 'Hash of the file''s bytes, which identifies its content.';
COMMENT ON COLUMN raw.export_files.modified_at IS 'When the file was last modified (UTC).';
COMMENT ON COLUMN raw.export_files.layout IS 'The layout that it was read with.';
COMMENT ON COLUMN raw.export_files.layout_fingerprint IS 'Hash of the layout. If it changes, the file is read again.';
COMMENT ON COLUMN raw.export_files.kind IS 'events, or the kind of lookup.';
COMMENT ON COLUMN raw.export_files.exported_at IS 'When Selligent wrote the file (UTC).';
COMMENT ON COLUMN raw.export_files.status IS 'loaded, refused, unmatched, duplicate (another file has the same bytes), or replaced (by newer content).';
COMMENT ON COLUMN raw.export_files.reason IS 'Why the file was refused or not read; or a warning.';
COMMENT ON COLUMN raw.export_files.rows IS 'Data rows in the file: events + skipped + rejected + suppressed.';
COMMENT ON COLUMN raw.export_files.skipped IS 'Rows whose event code is known but not needed (null in event_codes).';
COMMENT ON COLUMN raw.export_files.rejected IS 'Rows in raw.rejected_rows.';
COMMENT ON COLUMN raw.export_files.suppressed IS 'Rows of people on the list of SELLIGENT_SUPPRESSED, which are not stored.';
COMMENT ON COLUMN raw.export_files.first_event_at IS 'Time of the earliest event in the file (UTC).';
COMMENT ON COLUMN raw.export_files.last_event_at IS 'Time of the latest event in the file (UTC).';
COMMENT ON COLUMN raw.export_files.loaded_at IS 'When the file was loaded (UTC).';
COMMENT ON COLUMN raw.export_files.records IS 'Data rows in the file, counted from its bytes, independently of the parser.';
COMMENT ON COLUMN raw.export_files.suspect_rows IS 'Rows with a quoted value that contains what looks like rows: its quotes may be stray.';
COMMENT ON COLUMN raw.export_files.suspect_line IS 'The line on which the first suspect row begins.';
COMMENT ON COLUMN raw.export_files.load_number IS 'Number of the load. Later loads have higher numbers, whatever the clocks show.';

COMMENT ON TABLE raw.events IS 'Every data row of every events file, as text, with the event and time that the layout derives from it.';
COMMENT ON COLUMN raw.events.export_date IS 'Date of the export.';
COMMENT ON COLUMN raw.events.file IS 'Name of the file.';
COMMENT ON COLUMN raw.events.export IS 'The common name of the parts of a split export; else the name of the file.';
COMMENT ON COLUMN raw.events.row_number IS 'Number of the row in its file, counting readable rows.';
COMMENT ON COLUMN raw.events.layout IS 'The layout that it was read with.';
COMMENT ON COLUMN raw.events.exported_at IS 'When Selligent wrote the file (UTC).';
COMMENT ON COLUMN raw.events.loaded_at IS 'When the row was loaded (UTC).';
COMMENT ON COLUMN raw.events.user_id IS 'Text of the column that the layout maps to user_id.';
COMMENT ON COLUMN raw.events.email IS 'Text of the column that the layout maps to email.';
COMMENT ON COLUMN raw.events.selligent_user_id IS 'Text of the column that the layout maps to selligent_user_id.';
COMMENT ON COLUMN raw.events.email_id IS 'Text of the column that the layout maps to email_id.';
COMMENT ON COLUMN raw.events.email_subject IS 'Text of the column that the layout maps to email_subject.';
COMMENT ON COLUMN raw.events.campaign_id IS 'Text of the column that the layout maps to campaign_id.';
COMMENT ON COLUMN raw.events.campaign_name IS 'Text of the column that the layout maps to campaign_name.';
COMMENT ON COLUMN raw.events.link_id IS 'Text of the column that the layout maps to link_id.';
COMMENT ON COLUMN raw.events.link_name IS 'Text of the column that the layout maps to link_name.';
COMMENT ON COLUMN raw.events.link_url IS 'Text of the column that the layout maps to link_url.';
COMMENT ON COLUMN raw.events.list_id IS 'Text of the column that the layout maps to list_id.';
COMMENT ON COLUMN raw.events.list_name IS 'Text of the column that the layout maps to list_name.';
COMMENT ON COLUMN raw.events.ip IS 'Text of the column that the layout maps to ip.';
COMMENT ON COLUMN raw.events.user_agent IS 'Text of the column that the layout maps to user_agent.';
COMMENT ON COLUMN raw.events.timestamp IS 'Text of the column that the layout maps to timestamp.';
COMMENT ON COLUMN raw.events.event_id IS 'Text of the column that the layout maps to event_id.';
COMMENT ON COLUMN raw.events.send_id IS 'Text of the column that the layout maps to send_id.';
COMMENT ON COLUMN raw.events.is_bot IS 'Text of the column that the layout maps to is_bot.';
COMMENT ON COLUMN raw.events.event_code IS 'Text of the event_column.';
COMMENT ON COLUMN raw.events.extra IS 'Columns that the layout does not name, as JSON.';
COMMENT ON COLUMN raw.events.event IS 'The event. Null: the row is skipped because of its code, or rejected.';
COMMENT ON COLUMN raw.events.occurred_at IS 'The time that the layout reads from timestamp (UTC).';
COMMENT ON COLUMN raw.events.time_note IS 'ambiguous or nonexistent: the local time is in the hour of a clock change.';
COMMENT ON COLUMN raw.events.properties IS 'The properties of the layout by their names, as JSON with their types.';
COMMENT ON COLUMN raw.events.unreadable_properties IS 'Properties whose text in extra is not of their type; they are null. Null: there are none.';
COMMENT ON COLUMN raw.events.rejected_because IS 'Why the row is in raw.rejected_rows. Null: it is not.';

COMMENT ON TABLE raw.rejected_rows IS 'Every row that could not be read or used, with the reason.';
COMMENT ON COLUMN raw.rejected_rows.export_date IS 'Date of the export.';
COMMENT ON COLUMN raw.rejected_rows.file IS 'Name of the file.';
COMMENT ON COLUMN raw.rejected_rows.line IS 'Line of the row in its file; the header is line 1.';
COMMENT ON COLUMN raw.rejected_rows.reason IS 'Why the row was rejected.';
COMMENT ON COLUMN raw.rejected_rows.text IS 'The text of the row.';
COMMENT ON COLUMN raw.rejected_rows.loaded_at IS 'When its file was loaded (UTC).';
COMMENT ON COLUMN raw.rejected_rows.layout IS 'The layout that its file was read with.';

COMMENT ON TABLE raw.lookups IS 'Names and contacts from lookup files: all snapshots, of which the newest is used.';
COMMENT ON COLUMN raw.lookups.export_date IS 'Date of the snapshot.';
COMMENT ON COLUMN raw.lookups.file IS 'Name of the file.';
COMMENT ON COLUMN raw.lookups.row_number IS 'Number of the row in its file.';
COMMENT ON COLUMN raw.lookups.kind IS 'emails, campaigns, links, lists or contacts.';
COMMENT ON COLUMN raw.lookups.exported_at IS 'When Selligent wrote the file (UTC).';
COMMENT ON COLUMN raw.lookups.loaded_at IS 'When the row was loaded (UTC).';
COMMENT ON COLUMN raw.lookups.email_id IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.email_subject IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.campaign_id IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.campaign_name IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.link_id IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.link_name IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.list_id IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.list_name IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.selligent_user_id IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.user_id IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.email IS 'Value in the file; null for kinds without it.';
COMMENT ON COLUMN raw.lookups.load_number IS 'Number of the load, as in raw.export_files.';
COMMENT ON COLUMN raw.lookups.traits IS 'The traits of a contact that its layout declares, as JSON with their types.';
COMMENT ON COLUMN raw.lookups.unreadable_traits IS 'Traits whose text is not of their type; they are not in traits. Null: there are none.';
COMMENT ON COLUMN raw.lookups.layout IS 'The layout that its file was read with.';

COMMENT ON TABLE raw.properties IS 'One row per event and property that a layout declares or has declared. Its column in the event''s table is never dropped.';
COMMENT ON COLUMN raw.properties.event IS 'The event''s name; Identifies for traits of contacts.';
COMMENT ON COLUMN raw.properties.name IS 'Name of the property in the layout and in messages.';
COMMENT ON COLUMN raw.properties.column_name IS 'Its column in the event''s table: the snake case of the name.';
COMMENT ON COLUMN raw.properties.type IS 'text, integer, number, boolean or timestamp. It never changes.';

COMMENT ON TABLE raw.suppressed IS 'Hashes of people who must not be loaded, modelled or delivered.';
COMMENT ON COLUMN raw.suppressed.kind IS 'user_id; email; contact: a list id and Selligent user id, from lookups; former contact: its person is no longer on the list.';
COMMENT ON COLUMN raw.suppressed.digest IS 'sha256 of the kind, a colon, and the value in the form in which it is compared.';
COMMENT ON COLUMN raw.suppressed.through IS 'For a contact: the digest of its person.';
COMMENT ON COLUMN raw.suppressed.listed_at IS 'When it was first found on the list or in a lookup (UTC).';
COMMENT ON COLUMN raw.suppressed.modelled_at IS 'When the person''s events left the event tables (UTC). Null: not yet.';
COMMENT ON COLUMN raw.suppressed.withdrawn_at IS 'When the person''s waiting events were withdrawn (UTC). Null: not yet.';
COMMENT ON COLUMN raw.suppressed.listing IS 'Id of the update of the list, or of the lookup, that added the row.';

COMMENT ON TABLE raw.origin IS 'What never changes in a warehouse: the settings that it was created with, and its ledger. Also the version of its tables, and the form of addresses in them.';
COMMENT ON COLUMN raw.origin.name IS 'A setting; brand (empty for .env); addresses (how the event tables have them); schema_version; or pair, generation and ledger_generation, which identify the ledger.';
COMMENT ON COLUMN raw.origin.value IS 'Its value.';

COMMENT ON TABLE delivery.outbox IS 'One row per event that was ever due, with its place among the requests. The message is made from the event''s table when it is sent. A batch never changes once it is created.';
COMMENT ON COLUMN delivery.outbox.id IS 'The event''s id, which is its messageId.';
COMMENT ON COLUMN delivery.outbox.event IS 'Table of the event, such as email_opened.';
COMMENT ON COLUMN delivery.outbox.export_date IS 'Date of the export that contains the event.';
COMMENT ON COLUMN delivery.outbox.timestamp IS 'When the event happened (UTC).';
COMMENT ON COLUMN delivery.outbox.batch_id IS 'The batch that contains the event. Null: the event is dead.';
COMMENT ON COLUMN delivery.outbox.sequence IS 'Number of the batch among those of its event and date, in sending order.';
COMMENT ON COLUMN delivery.outbox.dead_because IS 'Why Segment would silently drop the event, which is therefore in no batch. Null: it is in one.';
COMMENT ON COLUMN delivery.outbox.cut_at IS 'When its batch was created (UTC).';
COMMENT ON COLUMN delivery.outbox.held IS 'Whether its batch was created as held: a machine caused the event, and SEGMENT_BOTS was hold, or it has held_because. Whether it is still held: delivery.events.status.';
COMMENT ON COLUMN delivery.outbox.held_because IS 'Why its batch was created as held: its events replace delivered ones under new ids. Null: for no such reason.';

COMMENT ON TABLE delivery.batches IS 'One row per batch: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.batches.batch_id IS 'Hash of all ids in the batch, and of its sequence.';
COMMENT ON COLUMN delivery.batches.event IS 'Table of its events.';
COMMENT ON COLUMN delivery.batches.export_date IS 'Date of the export that contains its events.';
COMMENT ON COLUMN delivery.batches.events IS 'Number of events when it was created, without those that were replayed since.';
COMMENT ON COLUMN delivery.batches.status IS 'waiting, delivered, or held until it is released. Only single events become dead.';
COMMENT ON COLUMN delivery.batches.attempts IS 'Number of attempts.';
COMMENT ON COLUMN delivery.batches.first_attempt_at IS 'Time of the first attempt, after which Segment may have the events (UTC).';
COMMENT ON COLUMN delivery.batches.delivered_at IS 'When Segment accepted the batch (UTC).';
COMMENT ON COLUMN delivery.batches.reason IS 'Result of the last attempt, if it failed.';

COMMENT ON TABLE delivery.dead_events IS 'One row per event that will not be delivered: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.dead_events.id IS 'The event''s id.';
COMMENT ON COLUMN delivery.dead_events.event IS 'Table of the event.';
COMMENT ON COLUMN delivery.dead_events.export_date IS 'Date of the export that contains the event.';
COMMENT ON COLUMN delivery.dead_events.batch_id IS 'The batch that contained the event. Null: it was never in one.';
COMMENT ON COLUMN delivery.dead_events.reason IS 'Why the event is dead.';
COMMENT ON COLUMN delivery.dead_events.died_at IS 'When the event became dead (UTC).';

COMMENT ON TABLE delivery.forgotten_events IS 'Numbers of erased events; nothing else is kept of them. A copy of the delivery ledger.';
COMMENT ON COLUMN delivery.forgotten_events.batch_id IS 'The batch that contained the events; a hash if nothing of the batch is left.';
COMMENT ON COLUMN delivery.forgotten_events.event IS 'Table of the events.';
COMMENT ON COLUMN delivery.forgotten_events.export_date IS 'Date of the export that contained the events.';
COMMENT ON COLUMN delivery.forgotten_events.events IS 'Number of events.';

COMMENT ON TABLE delivery.withheld_dates IS 'Export dates whose events are not due until they are released: a copy of the delivery ledger.';
COMMENT ON COLUMN delivery.withheld_dates.export_date IS 'The export date.';
COMMENT ON COLUMN delivery.withheld_dates.withheld_at IS 'When the date was withheld (UTC).';

COMMENT ON TABLE delivery.earlier_deliveries IS 'Deliveries of batches that replay --delivered set back to waiting afterwards: a copy of the delivery ledger. The latest delivery is in delivery.batches.';
COMMENT ON COLUMN delivery.earlier_deliveries.id IS 'A random id of the delivery.';
COMMENT ON COLUMN delivery.earlier_deliveries.batch_id IS 'The batch; a hash if nothing of the batch is left.';
COMMENT ON COLUMN delivery.earlier_deliveries.event IS 'Table of its events.';
COMMENT ON COLUMN delivery.earlier_deliveries.export_date IS 'Date of the export that contains its events.';
COMMENT ON COLUMN delivery.earlier_deliveries.events IS 'Number of delivered events in it.';
COMMENT ON COLUMN delivery.earlier_deliveries.attempts IS 'Number of attempts of this delivery.';
COMMENT ON COLUMN delivery.earlier_deliveries.first_attempt_at IS 'Time of its first attempt (UTC).';
COMMENT ON COLUMN delivery.earlier_deliveries.delivered_at IS 'When Segment accepted the batch (UTC).';
COMMENT ON COLUMN delivery.earlier_deliveries.replayed_at IS 'When the batch was set back to waiting (UTC).';

-- A DuckLake has no comments on columns of views.
COMMENT ON VIEW delivery.events IS 'One row per event that was ever due, with its status. id: the event''s id; event: its table; export_date: date of the export that contains it; status: waiting, delivered, dead or held; delivered_at: when Segment accepted it (UTC); attempts: number of attempts of its batch; reason: why it is dead, held or still waiting.';
