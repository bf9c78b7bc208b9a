{#-
    What the lookups of one kind give for each key: pipeline/models/newest_lookups.py passes the rule as a var. `further`
    are other columns: traits, export_date, exported_at, loaded_at. `where` restricts the snapshots.
-#}
{% macro newest_lookup(kind, further=[], where="true") -%}
    select {{ (var("lookups")[kind]["key"] | list + var("lookups")[kind]["values"] | list + further) | join(", ") }}
    from (
        {{ var("newest_lookups")[kind]
            | replace("<where>", where)
            | replace("raw.lookups", source("raw", "lookups") | string) }}
    )
{%- endmacro %}
