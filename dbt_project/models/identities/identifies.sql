{#- A view, so that no copy of the persons has to be suppressed and forgotten, and new traits are columns at once. -#}
{{ config(materialized="view", schema="segment_source") }}

{%- set traits = declared_properties("Identifies") %}

select
    cast(id as varchar) as id,
    received_at,
    timestamp as sent_at,
    timestamp as original_timestamp,
    timestamp,
    user_id,
    cast(null as varchar) as anonymous_id,
    '{{ var("integration_name") }}' as context_integration_name,
    '{{ var("integration_version") }}' as context_integration_version,
    '{{ var("library_name") }}' as context_library_name,
    '{{ var("library_version") }}' as context_library_version,
    list_id as context_selligent_list_id,
    selligent_user_id as context_selligent_user_id,
    written_at as uuid_ts,
    {{ email_of_identity() }} as email
    {%- for trait in traits %},
    cast(texts[{{ loop.index }}] as {{ trait["sql_type"] }}) as {{ adapter.quote(trait["column"]) }}
    {%- endfor %}
from (
    select *, {{ json_texts("traits", traits | map(attribute="pointer") | list) if traits else "null" }} as texts
    from {{ ref("stg_identities") }}
) as identities
{%- if run_window("suppressed") != "no" %}
where not {{ is_suppressed("identities") }}
{%- endif %}
