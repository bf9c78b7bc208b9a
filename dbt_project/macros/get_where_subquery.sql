{#-
    Tests look at what this run could have changed, unless they say otherwise: an id is tied to one timestamp, so
    within the span of the run `unique` is as exact as over the whole table, and costs a day instead of a history.
-#}
{% macro get_where_subquery(relation) -%}
    {%- if config.get("where") == "in_run_span" -%}
        (select * from {{ relation }} where {{ in_run_span("timestamp") }}) as in_run_span
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
