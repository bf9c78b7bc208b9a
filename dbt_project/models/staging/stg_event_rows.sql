{#- Every understood row of raw.events, typed and identified; rows that say the same event share its id. -#}
{{ config(
    alias="event_rows",
    materialized="incremental",
    incremental_strategy="replace_export_dates",
    partitioned_by="export_date",
) }}

with understood as (

    select
        raw_events.export_date,
        raw_events.file,
        raw_events.row_number,
        raw_events.exported_at,
        raw_events.loaded_at,
        raw_events.event as event_text,
        raw_events.occurred_at as timestamp,
        nullif(trim(raw_events.user_id), '') as user_id,
        nullif(trim(raw_events.email), '') as email,
        nullif(trim(raw_events.list_id), '') as list_id,
        nullif(trim(raw_events.selligent_user_id), '') as selligent_user_id,
        raw_events.send_id,
        raw_events.email_id,
        raw_events.email_subject,
        raw_events.campaign_id,
        raw_events.campaign_name,
        raw_events.link_id,
        raw_events.link_name,
        raw_events.list_name,
        raw_events.event_id,
        case
            when lower(raw_events.is_bot) in ('1', 'true', 'yes') then true
            when lower(raw_events.is_bot) in ('0', 'false', 'no') then false
        end as is_bot
    from {{ source("raw", "events") }} as raw_events
    where raw_events.event is not null
        and raw_events.rejected_because is null
        and {{ in_run_dates("raw_events") }}

),

{#- Only what the export's own row says goes into an id: a lookup that comes late must not change it. -#}
identified as (

    select
        *,
        case
            when event_id is not null
                then {{ hashed(["'" ~ var("message_id_namespace") | replace("'", "''") ~ "'", "event_text", "event_id"]) }}
            else {{ hashed([
                "'" ~ var("message_id_namespace") | replace("'", "''") ~ "'",
                "event_text",
                "case when user_id is not null then 'user' when list_id is not null and selligent_user_id is not null "
                ~ "then 'contact' else 'email' end",
                "case when user_id is not null then user_id when list_id is not null and selligent_user_id is not null "
                ~ "then list_id || ':' || selligent_user_id else lower(email) end",
                "email_id",
                "campaign_id",
                "link_id",
                "list_id",
                "send_id",
                microseconds("timestamp"),
            ]) }}
        end as first_id
    from understood

),

{#- Two rows alike in one file are two true events within one moment: the n-th of them is event n. -#}
counted as (

    select
        *,
        row_number() over (partition by first_id, file, export_date) as ordinal
    from identified

)

select
    export_date,
    file,
    row_number,
    exported_at,
    loaded_at,
    case
        when ordinal = 1 or event_id is not null then first_id
        else {{ hashed(["cast(first_id as varchar)", "cast(ordinal as varchar)"]) }}
    end as id,
    event_text,
    timestamp,
    user_id,
    email,
    list_id,
    selligent_user_id,
    send_id,
    email_id,
    email_subject,
    campaign_id,
    campaign_name,
    link_id,
    link_name,
    list_name,
    is_bot
from counted
