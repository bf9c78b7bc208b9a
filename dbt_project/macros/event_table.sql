{#-
    The table of one event, as in a Segment warehouse. The event's properties, which are defined in pipeline/catalog.py,
    become columns, and so do those that layouts declare. Without an event name, the table is `tracks`: every event, with
    the shared columns only.
-#}
{% macro event_table(event_name) -%}
{%- set properties = var("events")[event_name]["properties"] if event_name else [] -%}
{%- set declared = declared_properties(event_name) -%}
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
    {{ var("anonymous_id") }} as anonymous_id,
    {{ var("event_table_of_event_text") }} as event,
    event_text,
    '{{ var("integration_name") }}' as context_integration_name,
    '{{ var("integration_version") }}' as context_integration_version,
    '{{ var("library_name") }}' as context_library_name,
    '{{ var("library_version") }}' as context_library_version,
    {{ var("traits_email") }} as context_traits_email,
    list_id as context_selligent_list_id,
    selligent_user_id as context_selligent_user_id,
    send_id as context_selligent_send_id,
    is_bot as context_selligent_is_bot,
    ip as context_ip,
    user_agent as context_user_agent,
    written_at as uuid_ts
    {%- for property in properties %},
    {{ property }}
    {%- endfor %}
    {%- for property in declared %},
    cast(property_texts[{{ loop.index }}] as {{ property["sql_type"] }}) as {{ adapter.quote(property["column"]) }}
    {%- endfor %}
{%- if declared %}
from (select *, {{ json_texts("properties", declared | map(attribute="pointer") | list) }} as property_texts from events)
{%- else %}
from events
{%- endif %}
{%- endmacro %}

{#-
    The properties that layouts declare for an event, from `raw.properties`: the column, its type in SQL, and the JSON
    pointer of the value in `properties`. An environment variable passes them, since a dbt variable would make dbt parse
    the project again for each new one.
-#}
{% macro declared_properties(event_name) -%}
    {{- return(
        fromjson(env_var("DBT_DECLARED_PROPERTIES", "{}")).get(event_name, []) if execute and event_name else []
    ) -}}
{%- endmacro %}

{#- The same for the event of a table. -#}
{% macro declared_properties_of_table(table) -%}
    {%- for name, event in var("events").items() if event["table"] == table -%}
        {{- return(declared_properties(name)) -}}
    {%- endfor -%}
    {{- return([]) -}}
{%- endmacro %}
