{#- A hash of what the identify call of a contact says: of the namespace, the contact, its person and its traits. -#}
{% macro identity_content() -%}
    {{ hashed([id_namespace(), "'identify'", "list_id", "selligent_user_id", "user_id", "email",
        "nullif(cast(traits as varchar), '{}')"]) }}
{%- endmacro %}

{#- A contact that returns to an earlier content is identified again: the n-th time is a call of its own. -#}
{% macro identity_id() -%}
    case when ordinal = 1 then content else {{ hashed(["cast(content as varchar)", "cast(ordinal as varchar)"]) }} end
{%- endmacro %}

{#- Delete identities whose contact is no longer in any lookup of its date, because a corrected file replaced the one that
    contained it. -#}
{% macro drop_contacts_without_lookup() -%}
    {%- if is_incremental() and run_window("corrected") == "true" -%}
    delete from {{ this }} as target
    where {{ in_run_dates("target") }}
        and (target.export_date, target.list_id, target.selligent_user_id) not in (
            select (export_date, {{ identifier("list_id") }}, {{ identifier("selligent_user_id") }})
            from {{ source("raw", "lookups") }} as lookups
            where kind = 'contacts' and {{ in_run_dates("lookups") }}
        )
    {%- endif -%}
{%- endmacro %}

{#- What leaves of an address, as SEGMENT_TRAITS_EMAIL was when the event tables were written: pipeline/privacy/addresses.py
    records it. So the view has no other form than they. Without a record, no address leaves. -#}
{% macro email_of_identity() -%}
    case (
        select split_part(any_value(value), ',', 1) from {{ target.database }}.raw.origin where name = 'addresses'
    )
        when 'traits plain' then email
        when 'traits sha256' then sha256(lower(email))
    end
{%- endmacro %}
