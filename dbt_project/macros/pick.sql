{# Aggregate: the date of the row with the smallest or largest number. It needs no sort, which a window over all rows of
   all units would. #}
{% macro date_of_first(number, date, condition='true') -%}
    date '1970-01-01' + (
        (min(array[{{ number }}, {{ date }} - date '1970-01-01']) filter (where {{ condition }}))[2]
    )::integer
{%- endmacro %}

{% macro date_of_last(number, date, condition='true') -%}
    date '1970-01-01' + (
        (max(array[{{ number }}, {{ date }} - date '1970-01-01']) filter (where {{ condition }}))[2]
    )::integer
{%- endmacro %}
