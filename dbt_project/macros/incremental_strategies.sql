{#-
    How the rows of a run are written to a table. Each strategy runs in one transaction and is safe to repeat.
-#}

{#- Replace all rows of this run's export dates. -#}
{% macro get_incremental_replace_export_dates_sql(arg_dict) -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    delete from {{ arg_dict["target_relation"] }} as target where {{ in_run_dates("target") }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{%- endmacro %}

{#-
    Replace rows with a known id, and add the others. An id has one timestamp, so the search for known ids covers only
    the timestamps of the new rows: the cost depends on the day, not on the history.
-#}
{% macro get_incremental_upsert_by_id_sql(arg_dict) -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set new = arg_dict["temp_relation"] -%}
    {%- set span = run_query(
        "select cast(min(timestamp) as varchar), cast(max(timestamp) as varchar) from " ~ new
    ).rows[0] -%}
    {%- if span[0] is none -%}
        select 0 as nothing_new
    {%- else -%}
        delete from {{ target }}
        where timestamp between timestamptz '{{ span[0] }}' and timestamptz '{{ span[1] }}'
            and id in (select id from {{ new }});
        insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ new }};
    {%- endif -%}
{%- endmacro %}
