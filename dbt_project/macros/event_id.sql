{#- The columns of an export's own row that identify its event. The id is a hash of the namespace, these columns and the
    time. Values from lookups are not part of it, since a late lookup must not change an id. -#}
{% macro identity_columns() -%}
    {%- set kind_of_person -%}
        case
            when user_id is not null then 'user'
            when list_id is not null and selligent_user_id is not null then 'contact'
            else 'email'
        end
    {%- endset -%}
    {%- set person -%}
        case
            when user_id is not null then user_id
            when list_id is not null and selligent_user_id is not null then list_id || ':' || selligent_user_id
            else lower(email)
        end
    {%- endset -%}
    {{ return(["event_text", kind_of_person, person, "email_id", "campaign_id", "link_id", "list_id", "send_id"]) }}
{%- endmacro %}

{% macro event_id() -%}
    {{ hashed([id_namespace()] + identity_columns() + [microseconds("timestamp")]) }}
{%- endmacro %}

{#- The id of an event whose row has an `event_id`: a hash of the namespace, the event and that value only. -#}
{% macro event_id_of_row_id() -%}
    {{ hashed([id_namespace(), "event_text", "event_id"]) }}
{%- endmacro %}

{% macro id_namespace() -%}
    {{ return("'" ~ var("message_id_namespace") | replace("'", "''") ~ "'") }}
{%- endmacro %}
