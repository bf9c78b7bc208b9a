{#-
    A model's schema has exactly the given name: users query `staging`, not `main_staging`. The schema of the event
    tables has the name of the Segment source, which is a setting.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name == "segment_source" -%}
        {{ var("source_schema") }}
    {%- else -%}
        {{ (custom_schema_name or target.schema) | trim }}
    {%- endif -%}
{%- endmacro %}
