{#- The newest value of every key in the lookups of one kind; persons and ids are trimmed, as in `stg_event_rows`. -#}
{% macro newest_lookup(kind, keys, values) -%}
    {%- set ids = keys + ["user_id", "email"] -%}
    select
        {{ keys | join(", ") }},
        {%- for value in values %}
        {{ value }}{{ "," if not loop.last }}
        {%- endfor %}
    from (
        select
            {%- for column in keys + values %}
            {{ identifier(column) if column in ids else visible(column) }} as {{ column }},
            {%- endfor %}
            exported_at, loaded_at, file, row_number
        from {{ source("raw", "lookups") }}
        where kind = '{{ kind }}'
    )
    qualify row_number() over (
        partition by {{ keys | join(", ") }}
        order by exported_at desc, loaded_at desc, file desc, row_number desc
    ) = 1
{%- endmacro %}
