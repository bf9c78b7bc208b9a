{#- None of these columns is ever null; all are tested in one scan. -#}
{% test never_null(model, columns) %}
select {{ columns | join(", ") }}
from {{ model }}
where {{ columns | join(" is null or ") }} is null
{% endtest %}
