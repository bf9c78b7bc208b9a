{#- The table has exactly these columns, in this order, since queries and dashboards depend on them. -#}
{% test has_exactly_columns(model, columns) %}
with expected as (

    {%- for column in columns %}
    select {{ loop.index }} as position, '{{ column }}' as name
    {%- if not loop.last %} union all {%- endif %}
    {%- endfor %}

),

actual as (

    select row_number() over () as position, column_name as name
    from (describe select * from {{ model }})

)

select position, name
from expected
full outer join actual using (position, name)
where expected.name is null or actual.name is null
{% endtest %}
