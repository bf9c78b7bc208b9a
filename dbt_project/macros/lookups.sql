{#-
    The newest value of every key in the lookups of one kind; persons and ids are trimmed, as in `stg_event_rows`.
    The export date comes first: where a name has a date and no time, `exported_at` is by the clock of whatever wrote
    the file. Of one moment, the later load counts; loads of a former version have no number.
-#}
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
            export_date, exported_at, load_number, loaded_at, file, row_number
        from {{ source("raw", "lookups") }}
        where kind = '{{ kind }}'
    )
    qualify row_number() over (
        partition by {{ keys | join(", ") }}
        order by
            export_date desc, exported_at desc, load_number desc nulls last, loaded_at desc, file desc, row_number desc
    ) = 1
{%- endmacro %}
