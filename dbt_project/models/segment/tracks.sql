{{ config(pre_hook="{{ drop_withdrawn('stg_events') }}") }}

{{ event_table(none, properties=[]) }}
