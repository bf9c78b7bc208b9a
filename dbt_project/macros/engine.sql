{#- Functions that differ between SQL engines. The models also use syntax of DuckDB, such as `qualify`. -#}

{#- A UUID-shaped hash of a list of texts. NULL and '' differ, and no text can imitate a boundary between two texts. -#}
{% macro hashed(expressions) -%}
    cast(md5(to_json([{{ expressions | join(", ") }}])) as uuid)
{%- endmacro %}

{#- A fast hash that is never stored: equal values have equal hashes. -#}
{% macro bucket(expressions) -%}
    hash({{ expressions | join(", ") }})
{%- endmacro %}

{#- An instant as text: microseconds since 1970, UTC. -#}
{% macro microseconds(instant) -%}
    cast(epoch_us({{ instant }}) as varchar)
{%- endmacro %}

{#- The texts at several JSON pointers of a document, as a list. -#}
{% macro json_texts(document, pointers) -%}
    {{ document }} ->> [
        {%- for pointer in pointers %}'{{ pointer | replace("'", "''") }}'{{ ", " if not loop.last }}{% endfor -%}
    ]
{%- endmacro %}

{#- The text without invisible characters at either end. pipeline/warehouse/trimming.py defines them, and has the Python
    equivalents of these macros. Most texts have visible ASCII at both ends and need no regular expression. -#}
{% macro trimmed(text) -%}
    case when {{ begins_visibly(text) }} and ({{ text }})[-1] between '!' and '~' then {{ text }} else {{ replaced(text) }} end
{%- endmacro %}

{% macro begins_visibly(text) -%}
    ({{ text }}) >= '!' and ({{ text }}) < chr(127)
{%- endmacro %}

{% macro replaced(text) -%}
    regexp_replace({{ text }}, '^[{{ var("invisible") }}]+|[{{ var("invisible") }}]+$', '', 'g')
{%- endmacro %}

{#- A text that identifies a person or a thing. -#}
{% macro identifier(text) -%}
    nullif({{ trimmed(text) }}, '')
{%- endmacro %}

{#- A text that people read: unchanged, or NULL if it has no visible character. -#}
{% macro visible(text) -%}
    case when {{ begins_visibly(text) }} or {{ replaced(text) }} <> '' then {{ text }} end
{%- endmacro %}
