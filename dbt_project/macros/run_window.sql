{#-
    What this run covers: export dates from `first_date` to `last_date`, whose events happened between `earliest` and
    `latest`. `all_names` is set if lookups changed names of events of other dates, `corrected` if a file of these dates
    was replaced by newer content. suppressed.sql describes `suppressed`. `revisions` is the content of
    `staging.revisions` as JSON, which dbt without the pipeline reads itself. By default, which is dbt without the
    pipeline, a run covers everything.

    The values come from environment variables that are read only when SQL is compiled. As dbt variables, they would make
    dbt parse the project again for each new date.
-#}
{% macro run_window(part) -%}
    {%- set defaults = {
        "first_date": "0001-01-01",
        "last_date": "9999-12-31",
        "earliest": "0001-01-01 00:00:00+00",
        "latest": "9999-12-31 00:00:00+00",
        "all_names": "false",
        "corrected": "true",
        "suppressed": "new",
        "revisions": "",
    } -%}
    {%- if execute -%}
        {{- env_var("DBT_WINDOW_" ~ part | upper, defaults[part]) -}}
    {%- else -%}
        {{- defaults[part] -}}
    {%- endif -%}
{%- endmacro %}

{#- The rows of this run's export dates. -#}
{% macro in_run_dates(relation) -%}
    {{ relation }}.export_date between date '{{ run_window("first_date") }}' and date '{{ run_window("last_date") }}'
{%- endmacro %}

{#- The rows whose events happened in the time span of this run's exports, or in another span. -#}
{% macro in_run_span(column, span=none) -%}
    {%- set span = span or (run_window("earliest"), run_window("latest")) -%}
    {{ column }} between timestamptz '{{ span[0] }}' and timestamptz '{{ span[1] }}'
{%- endmacro %}
