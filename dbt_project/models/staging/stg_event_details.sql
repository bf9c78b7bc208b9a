{#-
    Where each event comes from, and what its row of the export says beside it. A view: it costs a run nothing, holds no
    further copy of a person, and has only people whose events are in `staging.events`.
-#}
{{ config(alias="event_details", materialized="kept_view") }}

{#- The row that counts, as in `stg_events`. The columns of the partition let a condition on them skip files. -#}
with first_rows as (

    select id, timestamp, export_date, exported_at, file, row_number
    from {{ ref("stg_event_rows") }}
    qualify row_number() over (
        partition by id, timestamp, export_date order by exported_at, file, row_number
    ) = 1

)

select
    cast(events.id as varchar) as id,
    events.event_text,
    events.timestamp,
    events.user_id,
    events.email,
    events.email_id,
    events.campaign_id,
    events.link_id,
    events.list_id,
    events.export_date,
    raw_events.file,
    raw_events.row_number,
    raw_events.layout,
    raw_events.exported_at,
    raw_events.loaded_at,
    raw_events.event_code,
    raw_events.timestamp as timestamp_text,
    raw_events.time_note,
    raw_events.event_id,
    raw_events.extra,
    raw_events.unreadable_properties
from {{ ref("stg_events") }} as events
inner join first_rows
    on events.id = first_rows.id
    and events.timestamp = first_rows.timestamp
    and events.export_date = first_rows.export_date
inner join {{ source("raw", "events") }} as raw_events
    on first_rows.export_date = raw_events.export_date
    and first_rows.file = raw_events.file
    and first_rows.row_number = raw_events.row_number
