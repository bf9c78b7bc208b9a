{#-
    A view that is written only if its SQL is another than that in the database: dbt's own materialization writes and
    renames views in every run, each of which changes the catalog. DuckDB stores SQL in a form of its own, so that of a
    temporary view is compared.
-#}
{% materialization kept_view, adapter="duckdb" -%}
    {%- set view = this.incorporate(type="view") -%}
    {%- set new = adapter.quote(this.identifier ~ "__new") -%}

    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement("main", fetch_result=True) -%}
        create or replace temporary view {{ new }} as {{ compiled_code }};
        with stored as (
            select database_name, schema_name, view_name, regexp_replace(sql, '^.*? AS ', '') as body
            from duckdb_views()
        )
        select count(*)
        from stored as kept
        inner join stored as fresh on kept.body = fresh.body
        where kept.database_name = '{{ view.database }}'
            and kept.schema_name = '{{ view.schema }}'
            and kept.view_name = '{{ view.identifier }}'
            and fresh.database_name = 'temp'
            and fresh.view_name = '{{ this.identifier }}__new'
    {%- endcall -%}
    {%- call statement("written") -%}
        drop view temp.{{ new }};
        {% if load_result("main")["data"][0][0] == 0 -%}
        create or replace view {{ view }} as {{ compiled_code }}
        {%- endif %}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({"relations": [view]}) }}
{%- endmaterialization %}
