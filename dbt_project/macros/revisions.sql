{#-
    How an event table finds the rows of `staging.events` that it has not applied yet, whichever run wrote them. Each
    write to `staging.events` has a number, one more than the write before; it is the `revision` of the rows.
    `staging.revisions` stores the number of the last write, and for each event table the last number that it has
    applied. Timestamps would not do: a clock that jumps back would hide rows. The numbers of a run are stored together,
    at its end. After a kill, the rows of that run are applied again, which changes nothing, and its number is used again.
-#}
{% macro revisions_table() -%}
    {{ target.database }}.{{ generate_schema_name("staging", none) }}.revisions
{%- endmacro %}

{#-
    staging.events of an earlier version has no numbers. Whether the table exists is looked up in dbt's cache: a query of
    DuckDB's list of tables takes longer than most models.
-#}
{% macro prepare_revisions() -%}
    {%- set table = revisions_table() -%}
    {%- if execute and stored_revision(this) is none -%}
    create table if not exists {{ table }} (table_name varchar, revision bigint)
    ; comment on table {{ table }} is 'The last revision of staging.events that each event table has applied.'
    ; comment on column {{ table }}.table_name is 'The table, with its schema.'
    ; comment on column {{ table }}.revision is 'Number of the last write to staging.events, or of the last one that the table has applied.'
    {%- do adapter.cache_added(api.Relation.create(
        database=target.database, schema=generate_schema_name("staging", none), identifier="revisions", type="table"
    )) -%}
    {%- if is_incremental() -%}
    ; alter table {{ this }} add column if not exists revision bigint
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The number stored for a table before this run; none if there is no number. -#}
{% macro stored_revision(relation) -%}
    {%- set given = run_window("revisions") -%}
    {%- set stored = fromjson(given) if given else read_revisions() -%}
    {{- return(stored.get(revision_name(relation))) -}}
{%- endmacro %}

{#- The numbers stored now, by table. -#}
{% macro read_revisions() -%}
    {%- set stored = {} -%}
    {%- if adapter.get_relation(target.database, generate_schema_name("staging", none), "revisions") is not none -%}
        {%- for row in run_query("select table_name, max(revision) from " ~ revisions_table() ~ " group by all").rows -%}
            {%- do stored.update({row[0]: row[1] | int}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(stored) -}}
{%- endmacro %}

{#- The number of the next write to staging.events. -#}
{% macro next_revision() -%}
    {%- if execute -%}
        {{- return((stored_revision(this) or 0) + 1) -}}
    {%- endif -%}
    {{- return(1) -}}
{%- endmacro %}

{#- The numbers that changed in this run, by table: that of its write, if it wrote rows, and for each event table that it
    built the last number. -#}
{% macro changed_revisions() -%}
    {%- set events = graph.nodes["model." ~ project_name ~ ".stg_events"] -%}
    {%- set relation = api.Relation.create(events.database, events.schema, events.alias) -%}
    {%- set built = results | selectattr("status", "equalto", "success") | map(attribute="node")
        | selectattr("resource_type", "equalto", "model") | list -%}
    {%- set stored, changed = read_revisions() if built else {}, {} -%}
    {%- set last = stored.get(revision_name(relation), 0) -%}
    {%- if built | selectattr("unique_id", "equalto", events.unique_id) | list
        and run_query("select 1 from " ~ relation ~ " where revision = " ~ (last + 1) ~ " limit 1").rows -%}
        {%- set last = last + 1 -%}
        {%- do changed.update({revision_name(relation): last}) -%}
    {%- endif -%}
    {%- for node in built if last and events.unique_id in node.depends_on.nodes -%}
        {%- set table = node.schema ~ "." ~ node.alias -%}
        {%- if stored.get(table) != last -%}
            {%- do changed.update({table: last}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(changed) -}}
{%- endmacro %}

{#- Statements that store numbers by table. -#}
{% macro store_revisions(numbers) -%}
    {%- set names = "'" ~ numbers | join("', '") ~ "'" -%}
    {%- set rows = [] -%}
    {%- for table in numbers -%}
        {%- do rows.append("('" ~ table ~ "', " ~ numbers[table] ~ ")") -%}
    {%- endfor -%}
    delete from {{ revisions_table() }} where table_name in ({{ names }});
    insert into {{ revisions_table() }} values {{ rows | join(", ") }};
    select sync_files()
{%- endmacro %}

{#- The name of a table in `staging.revisions`. -#}
{% macro revision_name(relation) -%}
    {{- return(relation.schema ~ "." ~ relation.identifier) -}}
{%- endmacro %}
