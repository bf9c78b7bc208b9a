{#-
    The table of one event, as in a Segment warehouse. The event's properties, which are defined in pipeline/catalog.py,
    become columns. Without an event name, the table is `tracks`: every event, with the shared columns only.
-#}
{% macro event_table(event_name) -%}
{%- set properties = var("events")[event_name]["properties"] if event_name else [] -%}
{%- set applied = stored_revision(this) if execute and is_incremental() else none -%}
with {% if applied is not none -%}
known as (

    select id, min(uuid_ts) as uuid_ts
    from {{ this }}
    where {{ in_run_span("timestamp") }}
    group by id
    having count(*) = 1

),

{% endif -%}
events as (

    select *
    from {{ ref("stg_events") }}
    where true
        {%- if event_name %}
        and event_text = '{{ event_name }}'
        {%- endif %}
        {%- if applied is not none %}
        and revision > {{ applied }}

    union all

    {#- Repair: events up to the stored revision that are missing, duplicated or outdated in this table. With a
        correlated subquery instead of the join, DuckDB would compare each event with every row of the same write. #}
    select staged.*
    from {{ ref("stg_events") }} as staged
    left join known
        on known.id = cast(staged.id as varchar)
        and known.uuid_ts = staged.written_at
    where {{ in_run_span("staged.timestamp") }}
        {%- if event_name %}
        and staged.event_text = '{{ event_name }}'
        {%- endif %}
        and coalesce(staged.revision, 0) <= {{ applied }}
        and known.id is null
        {%- endif %}

)

select
    cast(id as varchar) as id,
    received_at,
    exported_at as sent_at,
    timestamp as original_timestamp,
    timestamp,
    user_id,
    case
        when user_id is null
            then {{ sha256_text("lower(email)") if var("anonymous_id") == "sha256" else "email" }}
    end as anonymous_id,
    {{ var("event_table_of_event_text") }} as event,
    event_text,
    '{{ var("integration_name") }}' as context_integration_name,
    '{{ var("integration_version") }}' as context_integration_version,
    '{{ var("library_name") }}' as context_library_name,
    '{{ var("library_version") }}' as context_library_version,
    email as context_traits_email,
    list_id as context_selligent_list_id,
    selligent_user_id as context_selligent_user_id,
    send_id as context_selligent_send_id,
    is_bot as context_selligent_is_bot,
    written_at as uuid_ts
    {%- for property in properties %},
    {{ property }}
    {%- endfor %}
from events
{%- endmacro %}
