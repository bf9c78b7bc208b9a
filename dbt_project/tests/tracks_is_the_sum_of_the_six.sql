-- Every event is both in `tracks` and in the table of its event: neither contains an id that the other lacks.
{{ config(meta={"dagster": {"ref": {"name": "tracks"}}}) }}

with tables as (

    {%- for name in var("events") %}
    {%- set table = var("events")[name]["table"] %}
    select id, event, '{{ table }}' as table_name from {{ ref(table) }} where {{ in_run_span("timestamp") }}
    {%- if not loop.last %} union all {%- endif %}
    {%- endfor %}

),

tracks as (

    select id, event from {{ ref("tracks") }} where {{ in_run_span("timestamp") }}

)

select
    coalesce(tables.id, tracks.id) as id,
    tables.table_name,
    tracks.event
from tables
full outer join tracks on tables.id = tracks.id and tables.table_name = tracks.event
where tables.id is null or tracks.id is null
