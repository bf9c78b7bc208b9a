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

{#-
    Without changes, these statements leave no snapshot. staging.events of an earlier version has no numbers. Whether the
    table exists is looked up in dbt's cache: a query of DuckDB's list of tables takes longer than most models.
-#}
{% macro prepare_revisions() -%}
    {%- set table = revisions_table() -%}
    {%- if execute and not has_revisions() -%}
    create table if not exists {{ table }} (table_name varchar, revision bigint)
    ; comment on table {{ table }} is 'The last revision of staging.events that each event table has applied.'
    ; comment on column {{ table }}.table_name is 'The table, with its schema.'
    ; comment on column {{ table }}.revision is 'Number of the last write to staging.events, or of the last one that the table has applied.'
    {%- do adapter.cache_added(api.Relation.create(
        database=target.database, schema=generate_schema_name("staging", none), identifier="revisions", type="table"
    )) -%}
    {%- else -%}
    select 0 as nothing_to_create
    {%- endif -%}
    {%- if is_incremental() -%}
    ; alter table {{ this }} add column if not exists revision bigint
    {%- endif -%}
{%- endmacro %}

{#- Whether `staging.revisions` exists. -#}
{% macro has_revisions() -%}
    {{- return(
        adapter.get_relation(target.database, generate_schema_name("staging", none), "revisions") is not none
    ) -}}
{%- endmacro %}

{#- The number stored for a table; none if there is no number. -#}
{% macro stored_revision(relation) -%}
    {{- return(stored_revisions([relation])[0]) -}}
{%- endmacro %}

{#- The numbers stored for several tables, in their order. -#}
{% macro stored_revisions(relations) -%}
    {%- set stored = {} -%}
    {%- if has_revisions() -%}
        {%- for row in run_query("select table_name, max(revision) from " ~ revisions_table() ~ " group by all").rows -%}
            {%- do stored.update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set numbers = [] -%}
    {%- for relation in relations -%}
        {%- do numbers.append(stored.get(relation.schema ~ "." ~ relation.identifier)) -%}
    {%- endfor -%}
    {{- return(numbers) -}}
{%- endmacro %}

{#- The number of the next write to staging.events. -#}
{% macro next_revision() -%}
    {%- if execute -%}
        {{- return((stored_revision(this) or 0) | int + 1) -}}
    {%- endif -%}
    {{- return(1) -}}
{%- endmacro %}

{#- The last statement of a model's transaction: new files are on disk before the catalog refers to them. -#}
{% macro store_written_revision() -%}
    {%- set number = next_revision() -%}
    {%- if execute and run_query("select 1 from " ~ this ~ " where revision = " ~ number ~ " limit 1").rows -%}
        {{ store_revision(number) }};
    {%- endif %}
    select sync_files()
{%- endmacro %}

{#- The same for an event table. -#}
{% macro store_applied_revision() -%}
    {%- set numbers = stored_revisions([ref("stg_events"), this]) if execute else [none, none] -%}
    {%- if numbers[0] is not none and numbers[0] != numbers[1] -%}
        {{ store_revision(numbers[0]) }};
    {%- endif %}
    select sync_files()
{%- endmacro %}

{% macro store_revision(number) -%}
    delete from {{ revisions_table() }} where table_name = {{ revision_name(this) }};
    insert into {{ revisions_table() }} values ({{ revision_name(this) }}, {{ number }})
{%- endmacro %}

{% macro revision_name(relation) -%}
    '{{ relation.schema }}.{{ relation.identifier }}'
{%- endmacro %}
