{#-
    One row per event, with names and persons from lookups, names from other rows where no lookup has them, and without
    suppressed people. If several exports contain an event, the row of the earliest export counts. A run writes only rows
    that are new or changed, and deletes events that were withdrawn or suppressed.
-#}
{{ config(
    alias="events",
    materialized="incremental",
    incremental_strategy="upsert_by_id",
    pre_hook=["{{ prepare_revisions() }}", "{{ drop_withdrawn('stg_event_rows') }}", "{{ drop_suppressed() }}", "{{ replace_names() }}"],
) }}

{#- Events of other dates that lack a name are modelled again if rows of this run change it. -#}
{%- set renamed = renamed_span(ref("stg_event_rows")) -%}
{#- If a corrected file of these dates no longer contains an event, the next export that contains it counts. -#}
{%- set in_this_run -%}
    (
        {{ in_run_dates("event_rows") }} or {{ run_window("all_names") }}
        {%- if renamed %}
        or {{ is_renamed("event_rows") }}
        {%- endif %}
        {%- if is_incremental() and run_window("corrected") == "true" %}
        or event_rows.id in (
            select known.id from {{ this }} as known
            where {{ in_run_dates("known") }} and {{ in_run_span("known.timestamp") }}
        )
        {%- endif %}
    ) and {{ in_run_span("event_rows.timestamp", renamed) }}
{%- endset %}
{#- Exports of other dates can contain the same event. Its timestamp is the same, so few files are searched. -#}
with repeated as (

    select id
    from {{ ref("stg_event_rows") }}
    where {{ in_run_span("timestamp", renamed) }}
        and id in (select event_rows.id from {{ ref("stg_event_rows") }} as event_rows where {{ in_this_run }})
    group by id
    having count(*) > 1

),

{#- Only rows with duplicate ids are sorted: sorting all rows would cost twice as much as the rest of the model. -#}
first_rows as not materialized (

    select *
    from {{ ref("stg_event_rows") }} as event_rows
    where {{ in_this_run }}
        and event_rows.id not in (select id from repeated)

    union all by name

    select *
    from {{ ref("stg_event_rows") }}
    where {{ in_run_span("timestamp", renamed) }}
        and id in (select id from repeated)
    qualify row_number() over (
        partition by id order by export_date, exported_at, file, row_number
    ) = 1

),

emails as (
    {{ named_by("emails") }}
),

campaigns as (
    {{ named_by("campaigns") }}
),

links as (
    {{ named_by("links") }}
),

lists as (
    {{ named_by("lists") }}
),

contacts as (
    {{ newest_lookup("contacts") }}
),

named as (

    select
        first_rows.id,
        first_rows.export_date,
        first_rows.event_text,
        first_rows.timestamp,
        first_rows.exported_at,
        first_rows.loaded_at as received_at,
        coalesce(first_rows.user_id, contacts.user_id) as user_id,
        coalesce(first_rows.email, contacts.email) as email,
        first_rows.list_id,
        first_rows.selligent_user_id,
        first_rows.send_id,
        first_rows.is_bot,
        first_rows.ip,
        first_rows.user_agent,
        first_rows.email_id,
        coalesce(first_rows.email_subject, emails.email_subject) as email_subject,
        first_rows.campaign_id,
        coalesce(first_rows.campaign_name, campaigns.campaign_name) as campaign_name,
        first_rows.link_id,
        coalesce(first_rows.link_name, links.link_name) as link_name,
        first_rows.link_url,
        coalesce(first_rows.list_name, lists.list_name) as list_name,
        first_rows.properties
    from first_rows
    left join emails on first_rows.email_id = emails.email_id
    left join campaigns on first_rows.campaign_id = campaigns.campaign_id
    left join links on first_rows.link_id = links.link_id
    left join lists on first_rows.list_id = lists.list_id
    left join contacts
        on first_rows.list_id = contacts.list_id
        and first_rows.selligent_user_id = contacts.selligent_user_id

),

{#- Persons are known only after the join with contacts. -#}
unsuppressed as (

    select *
    from named
    {%- if run_window("suppressed") != "no" %}
    where not {{ is_suppressed("named") }}
    {%- endif %}

)

{% if is_incremental() %}
select
    unsuppressed.* replace (coalesce(known.received_at, unsuppressed.received_at) as received_at),
    timestamptz '{{ run_started_at }}' as written_at,
    {{ next_revision() }}::bigint as revision
from unsuppressed
left join {{ this }} as known
    on unsuppressed.id = known.id
    and {{ in_run_span("known.timestamp", renamed) }}
where known.id is null
    or row({{ staged_columns("unsuppressed") }}) is distinct from row({{ staged_columns("known") }})
{% else %}
select
    unsuppressed.*,
    timestamptz '{{ run_started_at }}' as written_at,
    {{ next_revision() }}::bigint as revision
from unsuppressed
{% endif %}
