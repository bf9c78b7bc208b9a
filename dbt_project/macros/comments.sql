{#-
    Statements that make new and changed descriptions comments in the database, for the end of a run: dbt's own
    `persist_docs` asks for the columns and comments of each model, which takes longer than to build a small one.
-#}
{% macro changed_comments() -%}
    {%- set known, changed = {}, [] -%}
    {%- if execute -%}
        {%- for row in run_query(
            "select schema_name, table_name, '' as column_name, comment from duckdb_tables()"
            ~ " where database_name = '" ~ target.database ~ "'"
            ~ " union all select schema_name, table_name, column_name, comment from duckdb_columns()"
            ~ " where database_name = '" ~ target.database ~ "'"
            ~ " union all select schema_name, view_name, '' as column_name, comment from duckdb_views()"
            ~ " where database_name = '" ~ target.database ~ "'"
        ).rows -%}
            {%- do known.update({(row[0], row[1], row[2]): row[3] or ""}) -%}
        {%- endfor -%}
        {%- for model in graph.nodes.values()
            if model.resource_type == "model" and "view" not in model.config.materialized -%}
            {%- set table = (model.schema, model.alias, "") -%}
            {%- set relation = api.Relation.create(model.database, model.schema, model.alias) -%}
            {%- if table in known and known[table] != model.description -%}
                {%- do changed.append(
                    "comment on table " ~ relation ~ " is " ~ duckdb_escape_comment(model.description)
                ) -%}
            {%- endif -%}
            {%- set described = [] -%}
            {%- for column in model.columns.values() -%}
                {%- do described.append((column.name, column.description)) -%}
            {%- endfor -%}
            {%- for property in declared_properties_of_table(model.alias) -%}
                {%- do described.append((
                    property["column"],
                    "Property " ~ property["name"] ~ " of a layout (" ~ property["type"] ~ "). Null: the export has no"
                    ~ " such value, or its type can't read it.",
                )) -%}
            {%- endfor -%}
            {%- for name, description in described -%}
                {%- set key = (model.schema, model.alias, name) -%}
                {%- if key in known and known[key] != description -%}
                    {%- do changed.append(
                        "comment on column " ~ relation ~ "." ~ adapter.quote(name)
                        ~ " is " ~ duckdb_escape_comment(description)
                    ) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
        {#- A DuckLake has no comments on columns of views. A view that was made anew has no comment. -#}
        {%- for result in results if "view" in result.node.config.materialized and result.status == "success" -%}
            {%- set words = [result.node.description | trim] -%}
            {%- for column in result.node.columns.values() -%}
                {%- do words.append(column.name ~ ": " ~ column.description) -%}
            {%- endfor -%}
            {%- for trait in declared_properties("Identifies") if result.node.alias in ("identifies", "users") -%}
                {%- do words.append(trait["column"] ~ ": Trait " ~ trait["name"] ~ " of a layout (" ~ trait["type"] ~ ").") -%}
            {%- endfor -%}
            {%- if known.get((result.node.schema, result.node.alias, "")) != words | join(" ") -%}
                {%- do changed.append(
                    "comment on view " ~ api.Relation.create(result.node.database, result.node.schema, result.node.alias)
                    ~ " is " ~ duckdb_escape_comment(words | join(" "))
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(changed) -}}
{%- endmacro %}
