{#-
    How the rows of a run are written to a table. Each strategy runs in one transaction and is safe to repeat.
-#}

{#- Replace all rows of this run's export dates. -#}
{% macro get_incremental_replace_export_dates_sql(arg_dict) -%}
    delete from {{ arg_dict["target_relation"] }} as target where {{ in_run_dates("target") }};
    insert into {{ arg_dict["target_relation"] }} by name from {{ arg_dict["temp_relation"] }};
{%- endmacro %}

{#-
    Replace rows with a known id, and add the others. An id has one timestamp, so the search for known ids covers only
    the timestamps of the new rows: the cost depends on the day, not on the history.
-#}
{% macro get_incremental_upsert_by_id_sql(arg_dict) -%}
    {%- if arg_dict["earliest"] is not none -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set new = arg_dict["temp_relation"] -%}
    delete from {{ target }}
    where timestamp between timestamptz '{{ arg_dict["earliest"] }}' and timestamptz '{{ arg_dict["latest"] }}'
        and id in (select id from {{ new }});
    insert into {{ target }} by name from {{ new }};
    {%- endif -%}
{%- endmacro %}
