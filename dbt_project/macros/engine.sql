{#- What differs between SQL engines stands here and nowhere else in the project. -#}

{#- A UUID-shaped hash of texts in their order; NULL and '' are different, and no text can imitate a border. -#}
{% macro hashed(expressions) -%}
    cast(md5(to_json([{{ expressions | join(", ") }}])) as uuid)
{%- endmacro %}

{#- A number that is the same for the same values, and quickly told; it is stored nowhere. -#}
{% macro bucket(expressions) -%}
    hash({{ expressions | join(", ") }})
{%- endmacro %}

{#- An instant as text: microseconds since 1970, UTC. -#}
{% macro microseconds(instant) -%}
    cast(epoch_us({{ instant }}) as varchar)
{%- endmacro %}

{% macro sha256_text(text) -%}
    sha256({{ text }})
{%- endmacro %}

{#- Without invisible characters at either end; pipeline/warehouse/trimming.py has the rule, and these three in Python. -#}
{% macro trimmed(text) -%}
    regexp_replace({{ text }}, '^[{{ var("invisible") }}]+|[{{ var("invisible") }}]+$', '', 'g')
{%- endmacro %}

{#- A text that identifies a person or a thing. -#}
{% macro identifier(text) -%}
    nullif({{ trimmed(text) }}, '')
{%- endmacro %}

{#- A text that people read: as it stands, unless nothing of it can be seen. -#}
{% macro visible(text) -%}
    case when {{ trimmed(text) }} <> '' then {{ text }} end
{%- endmacro %}
