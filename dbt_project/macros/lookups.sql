{#-
    The newest values of every key in the lookups of one kind. Persons and ids are trimmed, as in `stg_event_rows`. The
    kinds, and which lookup is the newest, are defined in pipeline/catalog.py. `further` are other columns of these rows;
    `where` restricts the snapshots.
-#}
{% macro newest_lookup(kind, further=[], where="true") -%}
    {%- set keys, values = var("lookups")[kind]["key"] | list, var("lookups")[kind]["values"] | list -%}
    {%- set ids = keys + ["user_id", "email"] -%}
    {%- set order = ["export_date", "exported_at", "load_number", "loaded_at", "file", "row_number"] -%}
    select {{ (keys + values + further) | join(", ") }}
    from (
        select
            {%- for column in keys + values %}
            {{ identifier(column) if column in ids else visible(column) }} as {{ column }},
            {%- endfor %}
            {{ (order + (further | reject("in", order) | list)) | join(", ") }}
        from {{ source("raw", "lookups") }} as lookups
        where kind = '{{ kind }}' and {{ where }}
    )
    qualify row_number() over (partition by {{ keys | join(", ") }} order by {{ var("newest_lookup_first") }}) = 1
{%- endmacro %}
