{# Rows that share a key with another row, or that lack a part of it. Columns may be expressions. #}
{% test compound_key(model, columns) %}

with keys as (

    select
        {% for column in columns %}
        {{ column }} as part_{{ loop.index }},
        {% endfor %}
        count(*) as row_count
    from {{ model }}
    group by
        {% for column in columns %}
        {{ column }}{{ "," if not loop.last }}
        {% endfor %}

)

select *
from keys
where
    row_count > 1
    {% for column in columns %}
    or part_{{ loop.index }} is null
    {% endfor %}

{% endtest %}
