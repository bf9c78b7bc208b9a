{#-
    Delete events that no export contains any longer, because a corrected file replaced the one that contained them.
    `upstream` is the model with all remaining events. The search covers only the time span of this run's files,
    including their content before the correction.
-#}
{% macro drop_withdrawn(upstream) -%}
    {%- set all_events = ref(upstream) -%}
    {%- if is_incremental() and run_window("corrected") == "true" -%}
    delete from {{ this }}
    where {{ in_run_span("timestamp") }}
        and cast(id as uuid) not in (select id from {{ all_events }} where {{ in_run_span("timestamp") }})
    {%- endif -%}
{%- endmacro %}
