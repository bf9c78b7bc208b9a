{#-
    What has to be true of an event table, in one scan: it has exactly these columns in this order, since queries and
    dashboards depend on them, and those of its declared properties; the required ones are never null; each id is there
    once; and each event is one of `events`. A table of an earlier version has the `added` columns after all others. Each
    row of the result names a fault, its column and the number of rows with it.
-#}
{% test holds_its_events(model, columns, added, required, events) %}
{%- set declared = declared_properties_of_table(events[0]) | map(attribute="column") | list if events | length == 1 else [] %}
{%- set anywhere = added + declared %}
with expected as (

    {%- for column in columns if column not in anywhere %}
    select {{ loop.index }} as position, '{{ column }}' as name
    {%- if not loop.last %} union all {%- endif %}
    {%- endfor %}

),

described as (

    select row_number() over () as place, column_name as name
    from (describe select * from {{ model }})

),

actual as (

    select row_number() over (order by place) as position, name
    from described
    where name not in ('{{ anywhere | join("', '") }}')

),

missing as (

    select unnest(['{{ anywhere | join("', '") }}']) as name
    except
    select name from described

),

totals as (

    select
        count(*) as events,
        count(distinct id) as ids,
        {%- for column in required %}
        count({{ column }}) as {{ column }}_values,
        {%- endfor %}
        count(*) filter (event not in ('{{ events | join("', '") }}')) as others
    from {{ model }}

)

select 'unexpected, missing or in another position' as fault, name as column_name, null as faulty_rows
from expected
full outer join actual using (position, name)
where expected.name is null or actual.name is null

union all

select 'missing', name, null
from missing

union all

select 'more than one row has the id', 'id', events - ids
from totals
where ids < events

union all

select 'belongs to another table', 'event', others
from totals
where others > 0
{%- for column in required %}

union all

select 'null', '{{ column }}', events - {{ column }}_values
from totals
where {{ column }}_values < events
{%- endfor %}
{% endtest %}
