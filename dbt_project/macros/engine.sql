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

{#- Without blanks at either end: space, tab, line breaks, and the space that doesn't break. -#}
{% macro trimmed(text) -%}
    trim({{ text }}, concat(' ', chr(9), chr(10), chr(13), chr(160)))
{%- endmacro %}
