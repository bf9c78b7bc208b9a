{#-
    How an event table finds what staging wrote since it last looked, whichever run wrote it. Each write of
    `staging.events` has a number, one more than the last, which its rows bear as `revision`; `staging.revisions` has
    its last number, and of each event table the number up to which it has taken. No clock decides: one that
    jumps would hide rows for as long as it jumped. A number is noted in the transaction that writes the rows, so
    after a kill at most some rows are taken twice, which changes nothing.
-#}
{% macro revisions_table() -%}
    {{ target.database }}.{{ generate_schema_name("staging", none) }}.revisions
{%- endmacro %}

{#- Both leave no trace where there is nothing to do; staging.events of an earlier version has no numbers. -#}
{% macro prepare_revisions() -%}
    create table if not exists {{ revisions_table() }} (table_name varchar, revision bigint)
    {%- if is_incremental() -%}
    ; alter table {{ this }} add column if not exists revision bigint
    {%- endif -%}
{%- endmacro %}

{#- The number that is noted for a table; none where no number is. -#}
{% macro noted_revision(relation) -%}
    {%- set found = run_query(
        "select 1 from duckdb_tables() where database_name = '" ~ target.database ~ "' and schema_name = '"
        ~ generate_schema_name("staging", none) ~ "' and table_name = 'revisions'"
    ) -%}
    {%- if found.rows | length == 0 -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return(run_query(
        "select max(revision) from " ~ revisions_table() ~ " where table_name = " ~ revision_name(relation)
    ).rows[0][0]) -}}
{%- endmacro %}

{#- The number of what staging.events is about to be given. -#}
{% macro next_revision() -%}
    {%- if execute -%}
        {{- return((noted_revision(this) or 0) | int + 1) -}}
    {%- endif -%}
    {{- return(1) -}}
{%- endmacro %}

{% macro note_written_revision() -%}
    {%- set number = next_revision() -%}
    {%- if execute and run_query("select 1 from " ~ this ~ " where revision = " ~ number ~ " limit 1").rows -%}
        {{ note_revision(number) }}
    {%- else -%}
        select 0 as nothing_written
    {%- endif -%}
{%- endmacro %}

{% macro note_taken_revision() -%}
    {%- set number = noted_revision(ref("stg_events")) if execute else none -%}
    {%- if number is none or number == noted_revision(this) -%}
        select 0 as nothing_taken
    {%- else -%}
        {{ note_revision(number) }}
    {%- endif -%}
{%- endmacro %}

{% macro note_revision(number) -%}
    delete from {{ revisions_table() }} where table_name = {{ revision_name(this) }};
    insert into {{ revisions_table() }} values ({{ revision_name(this) }}, {{ number }})
{%- endmacro %}

{% macro revision_name(relation) -%}
    '{{ relation.schema }}.{{ relation.identifier }}'
{%- endmacro %}
