{#-
    A log of what is known of contacts, one row per identify call: the first content of a contact, and each change of it.
    A run adds the contacts whose newest lookup is one of its export dates. The rows can't be made again from the
    lookups, so a full refresh keeps them.
-#}
{{ config(
    alias="identities",
    schema="staging",
    materialized="incremental",
    incremental_strategy="upsert_by_id",
    full_refresh=false,
    pre_hook="{{ drop_contacts_without_lookup() }}",
) }}

with newest as (

    {{ newest_lookup("contacts", ["export_date", "exported_at", "loaded_at", "traits"], in_run_dates("lookups")) }}

),

later as (

    select {{ identifier("list_id") }} as list_id, {{ identifier("selligent_user_id") }} as selligent_user_id
    from {{ source("raw", "lookups") }}
    where kind = 'contacts' and export_date > date '{{ run_window("last_date") }}'

),

contacts as (

    select *, {{ identity_content() }} as content
    from newest
    where user_id is not null
        and (list_id, selligent_user_id) not in (select (list_id, selligent_user_id) from later)

),

{% if is_incremental() -%}
known as (

    select list_id, selligent_user_id, arg_max(content, revision) as content
    from {{ this }}
    group by all

),

changed as (

    select contacts.*
    from contacts
    left join known
        on contacts.list_id = known.list_id and contacts.selligent_user_id = known.selligent_user_id
    where contacts.content is distinct from known.content

),

earlier as (

    select content, count(*) as times from {{ this }} group by content

),

numbered as (

    select changed.*, coalesce(earlier.times, 0) + 1 as ordinal
    from changed
    left join earlier on changed.content = earlier.content

)
{%- else -%}
numbered as (

    select *, 1 as ordinal from contacts

)
{%- endif %}

select
    {{ identity_id() }} as id,
    export_date,
    exported_at as timestamp,
    loaded_at as received_at,
    user_id,
    email,
    traits,
    list_id,
    selligent_user_id,
    content,
    {% if is_incremental() -%}
    (select coalesce(max(revision), 0) + 1 from {{ this }}) as revision,
    {%- else -%}
    cast(1 as bigint) as revision,
    {%- endif %}
    timestamptz '{{ run_started_at }}' as written_at
from numbered
