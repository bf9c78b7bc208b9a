{#-
    The newest values of every key in the lookups of one kind. Persons and ids are trimmed, as in `stg_event_rows`. The
    kinds, and which lookup is the newest, are defined in pipeline/catalog.py.
-#}
{% macro newest_lookup(kind) -%}
    {%- set keys, values = var("lookups")[kind]["key"] | list, var("lookups")[kind]["values"] | list -%}
    {%- set ids = keys + ["user_id", "email"] -%}
    select {{ (keys + values) | join(", ") }}
    from (
        select
            {%- for column in keys + values %}
            {{ identifier(column) if column in ids else visible(column) }} as {{ column }},
            {%- endfor %}
            export_date, exported_at, load_number, loaded_at, file, row_number
        from {{ source("raw", "lookups") }}
        where kind = '{{ kind }}'
    )
    qualify row_number() over (partition by {{ keys | join(", ") }} order by {{ var("newest_lookup_first") }}) = 1
{%- endmacro %}
