{#-
    The last transaction of a run: comments and the numbers of revisions, if any changed. Every write changes the
    catalog, and a run without changes must not create a snapshot.
-#}
{% macro end_run() -%}
    {%- if execute -%}
        {%- set statements, numbers = changed_comments(), changed_revisions() -%}
        {%- if numbers -%}
            {%- do statements.append(store_revisions(numbers)) -%}
        {%- endif -%}
        {%- if statements -%}
    begin; {{ statements | join("; ") }}; commit
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
