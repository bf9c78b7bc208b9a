{#-
    How an event table finds the rows of `staging.events` that it has not applied yet, whichever run wrote them. Each
    write to `staging.events` has a number, one more than the write before; it is the `revision` of the rows.
    `staging.revisions` stores the number of the last write, and for each event table the last number that it has
    applied. Timestamps would not do: a clock that jumps back would hide rows. A number is stored in the transaction that
    writes the rows. So after a kill, some rows may be applied twice, which changes nothing.
-#}
{% macro revisions_table() -%}
    {{ target.database }}.{{ generate_schema_name("staging", none) }}.revisions
{%- endmacro %}

{#- Without changes, these statements leave no snapshot. staging.events of an earlier version has no numbers. -#}
{% macro prepare_revisions() -%}
    {%- set table = revisions_table() -%}
    create table if not exists {{ table }} (table_name varchar, revision bigint)
    {%- set known = known_revisions() if execute else none -%}
    {%- if execute and (known is none or not known[0]) -%}
    ; comment on table {{ table }} is 'The last revision of staging.events that each event table has applied.'
    ; comment on column {{ table }}.table_name is 'The table, with its schema.'
    ; comment on column {{ table }}.revision is 'Number of the last write to staging.events, or of the last one that the table has applied.'
    {%- endif -%}
    {%- if is_incremental() -%}
    ; alter table {{ this }} add column if not exists revision bigint
    {%- endif -%}
{%- endmacro %}

{#- A row with the comment of `staging.revisions`; none if the table does not exist. -#}
{% macro known_revisions() -%}
    {%- set found = run_query(
        "select comment from duckdb_tables() where database_name = '" ~ target.database ~ "' and schema_name = '"
        ~ generate_schema_name("staging", none) ~ "' and table_name = 'revisions'"
    ) -%}
    {{- return(found.rows[0] if found.rows | length > 0 else none) -}}
{%- endmacro %}

{#- The number stored for a table; none if there is no number. -#}
{% macro stored_revision(relation) -%}
    {%- if known_revisions() is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return(run_query(
        "select max(revision) from " ~ revisions_table() ~ " where table_name = " ~ revision_name(relation)
    ).rows[0][0]) -}}
{%- endmacro %}

{#- The number of the next write to staging.events. -#}
{% macro next_revision() -%}
    {%- if execute -%}
        {{- return((stored_revision(this) or 0) | int + 1) -}}
    {%- endif -%}
    {{- return(1) -}}
{%- endmacro %}

{% macro store_written_revision() -%}
    {%- set number = next_revision() -%}
    {%- if execute and run_query("select 1 from " ~ this ~ " where revision = " ~ number ~ " limit 1").rows -%}
        {{ store_revision(number) }}
    {%- else -%}
        select 0 as nothing_written
    {%- endif -%}
{%- endmacro %}

{% macro store_applied_revision() -%}
    {%- set number = stored_revision(ref("stg_events")) if execute else none -%}
    {%- if number is none or number == stored_revision(this) -%}
        select 0 as nothing_applied
    {%- else -%}
        {{ store_revision(number) }}
    {%- endif -%}
{%- endmacro %}

{% macro store_revision(number) -%}
    delete from {{ revisions_table() }} where table_name = {{ revision_name(this) }};
    insert into {{ revisions_table() }} values ({{ revision_name(this) }}, {{ number }})
{%- endmacro %}

{% macro revision_name(relation) -%}
    '{{ relation.schema }}.{{ relation.identifier }}'
{%- endmacro %}
