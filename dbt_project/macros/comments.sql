{#-
    Descriptions become comments in the database. Only new or changed comments are written: every comment changes the
    catalog, and a run without changes must not create a snapshot.
-#}
{% macro duckdb__alter_relation_comment(relation, comment) -%}
    {%- set known = run_query(
        "select comment from duckdb_tables() where database_name = '" ~ relation.database
        ~ "' and schema_name = '" ~ relation.schema ~ "' and table_name = '" ~ relation.identifier ~ "'"
    ) -%}
    {%- if known.rows | length > 0 and known.rows[0][0] == comment -%}
        select 0 as no_new_comment
    {%- else -%}
        comment on table {{ relation }} is {{ duckdb_escape_comment(comment) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__alter_column_comment(relation, column_dict) -%}
    {%- set known = {} -%}
    {%- for row in run_query(
        "select column_name, comment from duckdb_columns() where database_name = '" ~ relation.database
        ~ "' and schema_name = '" ~ relation.schema ~ "' and table_name = '" ~ relation.identifier ~ "'"
    ).rows -%}
        {%- do known.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- for name in column_dict if name in known and known[name] != column_dict[name]["description"] %}
        comment on column {{ relation }}.{{ adapter.quote(name) }}
        is {{ duckdb_escape_comment(column_dict[name]["description"]) }};
    {%- else %}
        select 0 as no_new_comment
    {%- endfor -%}
{%- endmacro %}
