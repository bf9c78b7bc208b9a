{{ config(pre_hook=["{{ drop_withdrawn('stg_events') }}", "{{ drop_suppressed_events() }}"]) }}

{{ event_table("Email Opened") }}
