{#-
    People on the list of SELLIGENT_SUPPRESSED. `raw.suppressed` has hashes of their user ids and addresses, and of their
    contacts in lookups; pipeline/privacy/suppression.py computes them in the same way. The run's `suppressed` is "no"
    without a list, and then none of this is in the SQL; "known" if all of them have left the tables; else "new".
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

{#- Delete events of people who were put on the list after the events were modelled. -#}
{% macro drop_suppressed(columns={}) -%}
    {%- if is_incremental() and run_window("suppressed") == "new" -%}
    delete from {{ this }} as target where {{ is_suppressed("target", **columns) }}
    {%- else -%}
    select 0 as nothing_to_drop
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
