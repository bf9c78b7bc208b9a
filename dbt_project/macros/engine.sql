{#- Functions that differ between SQL engines. The models also use syntax of DuckDB, such as `qualify`. -#}

{#- A UUID-shaped hash of a list of texts. NULL and '' differ, and no text can imitate a boundary between two texts. -#}
{% macro hashed(expressions) -%}
    cast(md5(to_json([{{ expressions | join(", ") }}])) as uuid)
{%- endmacro %}

{#- A cheap hash: the same values give the same number. It is not stored anywhere. -#}
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

{#- Without invisible characters at either end. pipeline/warehouse/trimming.py has the rule, and the same three macros in Python. -#}
{% macro trimmed(text) -%}
    regexp_replace({{ text }}, '^[{{ var("invisible") }}]+|[{{ var("invisible") }}]+$', '', 'g')
{%- endmacro %}

{#- A text that identifies a person or a thing. -#}
{% macro identifier(text) -%}
    nullif({{ trimmed(text) }}, '')
{%- endmacro %}

{#- A text that people read: unchanged, unless none of it is visible. -#}
{% macro visible(text) -%}
    case when {{ trimmed(text) }} <> '' then {{ text }} end
{%- endmacro %}
