{{ config(pre_hook=["{{ drop_withdrawn('stg_events') }}", "{{ drop_suppressed_events() }}"]) }}

{{ event_table("Email Marked as Spam", properties=["email_id", "email_subject", "campaign_id", "campaign_name"]) }}
