{#- An event counts as changed if one of these columns differs. -#}
{% macro staged_columns(relation) -%}
    {%- set columns = [
        "export_date", "event_text", "timestamp", "exported_at", "user_id", "email", "list_id", "selligent_user_id",
        "send_id", "is_bot", "email_id", "email_subject", "campaign_id", "campaign_name", "link_id", "link_name",
        "link_url", "list_name", "ip", "user_agent", "properties",
    ] -%}
    {%- for column in columns -%}
        {{ relation }}.{{ column }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
