{#- The newest value of every key in the lookups of one kind. -#}
{% macro newest_lookup(kind, keys, values) -%}
    select
        {{ keys | join(", ") }},
        {%- for value in values %}
        {{ value }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ source("raw", "lookups") }}
    where kind = '{{ kind }}'
    qualify row_number() over (
        partition by {{ keys | join(", ") }}
        order by exported_at desc, loaded_at desc, file desc, row_number desc
    ) = 1
{%- endmacro %}
