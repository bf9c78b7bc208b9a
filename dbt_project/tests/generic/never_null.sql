{#- None of these columns is ever without a value; one scan for all of them. -#}
{% test never_null(model, columns) %}
select {{ columns | join(", ") }}
from {{ model }}
where {{ columns | join(" is null or ") }} is null
{% endtest %}
