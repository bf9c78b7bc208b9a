{#-
    People on the list of SELLIGENT_SUPPRESSED. `raw.suppressed` has hashes of their user ids and addresses, and of
    the contacts that lookups know them by; pipeline/privacy/suppression.py makes them in the same way. A run without a list
    says "no", and none of this is in its SQL; "known": the tables were rid of everybody before; "new": not yet.
-#}
{% macro is_suppressed(relation, email="email", list_id="list_id", selligent_user_id="selligent_user_id") -%}
    {%- set digests = {
        "user_id": sha256_text("'user_id:' || " ~ trimmed(relation ~ ".user_id")),
        "email": sha256_text("'email:' || lower(" ~ trimmed(relation ~ "." ~ email) ~ ")"),
        "contact": sha256_text(
            "'contact:' || length(" ~ trimmed(relation ~ "." ~ list_id) ~ ") || ':' || "
            ~ trimmed(relation ~ "." ~ list_id) ~ " || ':' || " ~ trimmed(relation ~ "." ~ selligent_user_id)
        ),
    } -%}
    (
    {%- for kind, value in digests.items() %}
        {{ "or " if not loop.first }}coalesce({{ value }} in (
            select listed.digest from {{ source("raw", "suppressed") }} as listed where listed.kind = '{{ kind }}'
        ), false)
    {%- endfor %}
    )
{%- endmacro %}

{#- Events that were modelled before the list named their people leave the table. -#}
{% macro drop_suppressed(columns={}) -%}
    {%- if is_incremental() and run_window("suppressed") == "new" -%}
    delete from {{ this }} as target where {{ is_suppressed("target", **columns) }}
    {%- else -%}
    select 0 as nobody_to_drop
    {%- endif -%}
{%- endmacro %}

{#- The same for an event table, which has Segment's columns. -#}
{% macro drop_suppressed_events() -%}
    {{ drop_suppressed({
        "email": "context_traits_email",
        "list_id": "context_selligent_list_id",
        "selligent_user_id": "context_selligent_user_id",
    }) }}
{%- endmacro %}
