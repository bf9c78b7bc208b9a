{#-
    Whether a row belongs to a person in `raw.suppressed`: pipeline/privacy/digests.py passes the condition as a var, with
    placeholders for the columns. run_window("suppressed") is:
    "no": no person is suppressed, so the condition is left out of the SQL;
    "known": all suppressed people have already been removed from the tables;
    "new": some have not.
-#}
{% macro is_suppressed(relation, email="email", list_id="list_id", selligent_user_id="selligent_user_id") -%}
    {{ var("is_suppressed")
        | replace("<user_id>", relation ~ ".user_id")
        | replace("<email>", relation ~ "." ~ email)
        | replace("<list_id>", relation ~ "." ~ list_id)
        | replace("<selligent_user_id>", relation ~ "." ~ selligent_user_id)
        | replace("raw.suppressed", source("raw", "suppressed") | string) }}
{%- endmacro %}

{#- Delete events of people who were put on the list after the events were modelled. `or_else` is a further condition. -#}
{% macro drop_suppressed(columns={}, or_else="") -%}
    {%- if is_incremental() and run_window("suppressed") == "new" -%}
    delete from {{ this }} as target where {{ is_suppressed("target", **columns) }} {{ or_else }}
    {%- endif -%}
{%- endmacro %}

{#- The same for an event table, which has Segment's columns. Without plain addresses, not everyone is recognized by
    these, but staging.events no longer has their events. -#}
{% macro drop_suppressed_events() -%}
    {{ drop_suppressed(
        {
            "email": "context_traits_email",
            "list_id": "context_selligent_list_id",
            "selligent_user_id": "context_selligent_user_id",
        },
        "" if var("traits_email_is_plain") else "or cast(target.id as uuid) not in (select id from " ~ ref("stg_events") ~ ")",
    ) }}
{%- endmacro %}
