{#- Every valid row of raw.events, typed and identified; rows of the same event share its id. -#}
{{ config(
    alias="event_rows",
    materialized="incremental",
    incremental_strategy="replace_export_dates",
    partitioned_by="year(export_date), month(export_date)",
) }}

with understood as not materialized (

    select
        raw_events.export_date,
        raw_events.file,
        raw_events.export,
        raw_events.row_number,
        raw_events.exported_at,
        raw_events.loaded_at,
        raw_events.event as event_text,
        raw_events.occurred_at as timestamp,
        {{ identifier("raw_events.user_id") }} as user_id,
        {{ identifier("raw_events.email") }} as email,
        {{ identifier("raw_events.list_id") }} as list_id,
        {{ identifier("raw_events.selligent_user_id") }} as selligent_user_id,
        {{ identifier("raw_events.send_id") }} as send_id,
        {{ identifier("raw_events.email_id") }} as email_id,
        {{ visible("raw_events.email_subject") }} as email_subject,
        {{ identifier("raw_events.campaign_id") }} as campaign_id,
        {{ visible("raw_events.campaign_name") }} as campaign_name,
        {{ identifier("raw_events.link_id") }} as link_id,
        {{ visible("raw_events.link_name") }} as link_name,
        {{ visible("raw_events.link_url") }} as link_url,
        {{ visible("raw_events.list_name") }} as list_name,
        {{ identifier("raw_events.event_id") }} as event_id,
        case
            when lower({{ trimmed("raw_events.is_bot") }}) in ('1', 'true', 'yes', 'y', 't', 'j', 'ja', 'o', 'oui') then true
            when lower({{ trimmed("raw_events.is_bot") }}) in ('0', 'false', 'no', 'n', 'f', 'nee', 'nein', 'non') then false
        end as is_bot,
        {{ identifier("raw_events.ip") }} as ip,
        {{ visible("raw_events.user_agent") }} as user_agent,
        raw_events.properties
    from {{ source("raw", "events") }} as raw_events
    where raw_events.event is not null
        and raw_events.rejected_because is null
        and {{ in_run_dates("raw_events") }}

),

{#- Hashes that several rows share: few rows are identical, and finding candidates costs less than numbering all. -#}
shared_buckets as (

    select bucket
    from (select {{ bucket(identity_columns() + ["timestamp"]) }} as bucket from understood where event_id is null)
    group by bucket
    having count(*) > 1

),

{#- Two identical rows in one export are two events at the same moment: the n-th of them is event n. -#}
numbered as (

    select
        * exclude (first_id, ordinal),
        case
            when ordinal = 1 then first_id
            else {{ hashed(["cast(first_id as varchar)", "cast(ordinal as varchar)"]) }}
        end as id
    from (
        select
            *,
            row_number() over (
                partition by first_id, export, export_date order by file, row_number
            ) as ordinal
        from (
            select
                *,
                {{ event_id() }} as first_id
            from understood
            where event_id is null and {{ bucket(identity_columns() + ["timestamp"]) }} in (select bucket from shared_buckets)
        )
    )

),

identified as (

    select
        *,
        case when event_id is not null then {{ event_id_of_row_id() }} else {{ event_id() }} end as id
    from understood
    where event_id is not null or {{ bucket(identity_columns() + ["timestamp"]) }} not in (select bucket from shared_buckets)

    union all by name

    select * from numbered

)

select
    export_date,
    file,
    row_number,
    exported_at,
    loaded_at,
    id,
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
    link_url,
    list_name,
    is_bot,
    ip,
    user_agent,
    properties
from identified
