{#-
    dbt-duckdb's materialization with fewer statements, since each takes milliseconds: it asks for columns and for the
    time of the new rows in one query, and drops the temporary table, which otherwise stays in memory until dbt ends. A
    table that does not exist yet, or is rebuilt, is left to dbt-duckdb.
-#}
{% materialization incremental, adapter="duckdb" -%}
    {%- if load_cached_relation(this) is none or should_full_refresh() -%}
        {{ return(dbt.materialization_incremental_duckdb()) }}
    {%- endif -%}
    {%- set table = this.incorporate(type="table") -%}
    {%- set new = make_temp_relation(table) -%}
    {%- set write = adapter.get_incremental_strategy_macro(context, config.get("incremental_strategy")) -%}

    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement("new", fetch_result=True) -%}
        {{ create_table_as(True, new, compiled_code) }}
        {{ facts_of_new_rows(new, table) }}
    {%- endcall -%}
    {%- set earliest, latest, differences = load_result("new")["data"][0] -%}
    {%- if differences -%}
        {%- do exceptions.raise_compiler_error(
            "The columns of " ~ table ~ " are not those of its model: " ~ differences ~ ". Rebuild it with --full-refresh."
        ) -%}
    {%- endif -%}
    {%- call statement("main") -%}
        {{ write({"target_relation": table, "temp_relation": new, "earliest": earliest, "latest": latest}) }}
        drop table {{ new }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({"relations": [table]}) }}
{%- endmaterialization %}

{#- First and last timestamp of the new rows, and columns that only they or only the table have. -#}
{% macro facts_of_new_rows(new, table) -%}
    select
        cast(min(timestamp) as varchar),
        cast(max(timestamp) as varchar),
        (
            select string_agg(coalesce(given.column_name, known.column_name), ', ')
            from (describe {{ new }}) as given
            full outer join (describe {{ table }}) as known
                on given.column_name = known.column_name and given.column_type = known.column_type
            where given.column_name is null or known.column_name is null
        )
    from {{ new }}
{%- endmacro %}
