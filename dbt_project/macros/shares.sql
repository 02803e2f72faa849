{# The equal part of an amount that belongs to one of `agent_count` people, to whole units of its type (a numeric: to 6
   decimals); the first in `place` takes what does not divide. Relation `rows` has both columns. #}
{% macro equal_part(amount, rows) -%}
    case
        when {{ rows }}.agent_count = 1 then {{ amount }}
        when {{ rows }}.place = 1
            then {{ amount }} - {{ part_of(amount, rows) }} * ({{ rows }}.agent_count - 1)
        else {{ part_of(amount, rows) }}
    end
{%- endmacro %}

{% macro part_of(amount, rows) -%}
    {% if 'numeric' in amount -%}
        trunc({{ amount }} / {{ rows }}.agent_count, 6)
    {%- else -%}
        ({{ amount }} / {{ rows }}.agent_count)
    {%- endif %}
{%- endmacro %}
