{#-
    Names in rows of events, for other events that have only the id. `staging.names` has, for each id and export date, the
    newest name, and the time span of the rows without one. It is written in the transaction of `staging.events`, so it
    always shows which names those events were given. Where rows of a run change the name of an id, only the events that
    lack it are modelled again, whatever their date. This table has their time span: without a change, no other date is
    searched.

    Two temporary tables are made when `stg_events` is compiled: `names_of_run`, rows of `staging.names` as the dates of
    this run now make them; and `shared_names`, the ids that have both rows with a name and rows without one.
-#}
{% macro names_table() -%}
    {{ target.database }}.{{ generate_schema_name("staging", none) }}.names
{%- endmacro %}

{#- The kinds of names, with the columns of id and name. -#}
{% macro name_columns() -%}
    {%- set kinds = {} -%}
    {%- for kind, lookup in var("lookups").items() if kind != "contacts" -%}
        {%- do kinds.update({kind: (lookup["key"][0], lookup["values"][0])}) -%}
    {%- endfor -%}
    {{- return(kinds) -}}
{%- endmacro %}

{#- Whether `staging.names` shows what `staging.events` was given. Otherwise all dates are read: a warehouse of an earlier
    version has no such table. -#}
{% macro has_names() -%}
    {{- return(
        is_incremental()
        and adapter.get_relation(target.database, generate_schema_name("staging", none), "names") is not none
    ) -}}
{%- endmacro %}

{% macro in_dates_of_names(relation) -%}
    {{ in_run_dates(relation) if has_names() else "true" }}
{%- endmacro %}

{#-
    Make the temporary tables. Returns the time span of this run, extended to events of other dates whose name changes;
    none if there are no such events.
-#}
{% macro renamed_span(event_rows) -%}
    {%- if not execute or flags.WHICH in ("compile", "generate") -%}
        {{ return(none) }}
    {%- endif -%}
    {%- do run_query("create or replace temp table names_of_run as " ~ names_in(event_rows)) -%}
    {%- do run_query("create or replace temp table shared_names as " ~ shared_names()) -%}
    {%- set extended = run_query(extended_span()).rows if is_incremental() else [] -%}
    {{- return((extended[0][0], extended[0][1]) if extended else none) -}}
{%- endmacro %}

{#- The names in the rows of this run's dates. Of the names that an id has on one date, that of the newest export counts,
    then the last in alphabetical order: neither depends on the order of loads. The rows are read once, and grouped by ids
    alone: few combinations of them occur, even if each person has a subject of their own. -#}
{% macro names_in(event_rows) -%}
    {%- set ids = name_columns().values() | map("first") | join(", ") -%}
    with combinations as materialized (
        select
            export_date,
            exported_at,
            {{ ids }}
            {%- for id, name in name_columns().values() %},
            max({{ name }}) as {{ name }},
            min(timestamp) filter ({{ name }} is null) as {{ name }}_lacks_from,
            max(timestamp) filter ({{ name }} is null) as {{ name }}_lacks_until
            {%- endfor %}
        from {{ event_rows }} as event_rows
        where {{ in_dates_of_names("event_rows") }}
        group by export_date, exported_at, {{ ids }}
    )
    {%- for kind, (id, name) in name_columns().items() %}
    {{ "union all" if not loop.first }}
    select
        '{{ kind }}' as kind,
        {{ id }} as id,
        export_date,
        arg_max({{ name }}, row(exported_at, {{ name }})) filter ({{ name }} is not null) as found_name,
        min({{ name }}_lacks_from) as unnamed_from,
        max({{ name }}_lacks_until) as unnamed_until
    from combinations
    where {{ id }} is not null
    group by {{ id }}, export_date
    {%- endfor %}
{%- endmacro %}

{#- Of each id that has a name and lacks it in other rows: the newest name, the one before this run, and the time span of
    the rows of other dates that lack it. -#}
{% macro shared_names() -%}
    with names as (
        select *, false as is_stored, not {{ in_run_dates("names_of_run") }} as is_of_others
        from temp.names_of_run
        {%- if has_names() %}
        union all by name
        select *, true as is_stored, not {{ in_run_dates("stored") }} as is_of_others
        from {{ names_table() }} as stored
        {%- endif %}
    )

    select
        kind,
        id,
        arg_max(found_name, export_date) filter (is_of_others or not is_stored) as found_name,
        arg_max(found_name, export_date) filter (is_stored) as former_name,
        min(unnamed_from) filter (is_of_others) as unnamed_from,
        max(unnamed_until) filter (is_of_others) as unnamed_until
    from names
    group by kind, id
    having count(found_name) > 0 and count(unnamed_from) > 0
{%- endmacro %}

{#- SQL for the ids whose name changes for events of other dates. -#}
{% macro changed_names() -%}
    from temp.shared_names where unnamed_from is not null and found_name is distinct from former_name
{%- endmacro %}

{#- The time span of this run, which is infinite without events, and of the changed names. No row if none changes. -#}
{% macro extended_span() -%}
    select
        cast(least(min(unnamed_from), nullif(timestamptz '{{ run_window("earliest") }}', 'infinity')) as varchar),
        cast(greatest(max(unnamed_until), nullif(timestamptz '{{ run_window("latest") }}', 'infinity')) as varchar)
    {{ changed_names() }}
    having count(*) > 0
{%- endmacro %}

{#- Whether a row lacks a name that changes. -#}
{% macro is_renamed(relation) -%}
    (
        {%- for kind, (id, name) in name_columns().items() %}
        {{ "or " if not loop.first }}{{ relation }}.{{ name }} is null
            and {{ relation }}.{{ id }} in (select id {{ changed_names() }} and kind = '{{ kind }}')
        {%- endfor %}
    )
{%- endmacro %}

{#- The name of each id: that of the newest lookup, else the newest one in rows of events. -#}
{% macro named_by(kind) -%}
    {%- set id, name = var("lookups")[kind]["key"] | first, var("lookups")[kind]["values"] | first -%}
    select {{ id }}, coalesce(looked_up.{{ name }}, found.found_name) as {{ name }}
    from ({{ newest_lookup(kind) }}) as looked_up
    full outer join (select id as {{ id }}, found_name from temp.shared_names where kind = '{{ kind }}') as found
        using ({{ id }})
{%- endmacro %}

{#- Write `names_of_run` to `staging.names`, as far as they differ, since a run without changes must not create a
    snapshot. -#}
{% macro replace_names() -%}
    {%- set names = names_table() -%}
    {%- if execute -%}
    {%- set is_of_run = in_dates_of_names("names") -%}
    {%- if not has_names() -%}
    create table if not exists {{ names }} (
        kind varchar, id varchar, export_date date, found_name varchar, unnamed_from timestamptz, unnamed_until timestamptz
    )
    ; comment on table {{ names }} is 'Names in rows of events, by id and export date. Events without a name get the newest one if no lookup has one.'
    ; comment on column {{ names }}.kind is 'emails, campaigns, links or lists.'
    ; comment on column {{ names }}.id is 'Id of the email, campaign, link or list.'
    ; comment on column {{ names }}.export_date is 'Date of the exports with these rows.'
    ; comment on column {{ names }}.found_name is 'The newest name in these rows; null if none has one.'
    ; comment on column {{ names }}.unnamed_from is 'First timestamp of the rows without a name; null if all have one (UTC).'
    ; comment on column {{ names }}.unnamed_until is 'Last timestamp of the rows without a name (UTC).'
    ;
    {%- do adapter.cache_added(api.Relation.create(
        database=target.database, schema=generate_schema_name("staging", none), identifier="names", type="table"
    )) -%}
    {%- endif %}
    delete from {{ names }} as names
    where {{ is_of_run }} and names not in (select names_of_run from temp.names_of_run)
    ; insert into {{ names }} by name
    from temp.names_of_run except all select * from {{ names }} as names where {{ is_of_run }}
    {%- endif -%}
{%- endmacro %}
