{#-
    By default, tests cover what this run could have changed. An id has one timestamp, so `unique` within the time span
    of the run is as exact as over the whole table, and its cost depends on the day, not on the history.
-#}
{% macro get_where_subquery(relation) -%}
    {%- if config.get("where") == "in_run_span" -%}
        (select * from {{ relation }} where {{ in_run_span("timestamp") }}) as in_run_span
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
