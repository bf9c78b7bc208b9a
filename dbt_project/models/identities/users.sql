{{ config(materialized="view", schema="segment_source") }}

select
    user_id as id,
    received_at,
    uuid_ts,
    context_integration_name,
    context_integration_version,
    context_library_name,
    context_library_version,
    context_selligent_list_id,
    context_selligent_user_id,
    email
    {%- for trait in declared_properties("Identifies") %},
    {{ adapter.quote(trait["column"]) }}
    {%- endfor %}
from {{ ref("identifies") }}
qualify row_number() over (partition by user_id order by timestamp desc, uuid_ts desc, id desc) = 1
