{# Wilson interval of a proportion, one end (reliability.md 3.1): sign is -1 for the low end, +1 for the high end. #}
{% macro wilson(x, n, z, sign) -%}
    (
        ({{ x }}::numeric / {{ n }} + {{ z }} * {{ z }} / (2 * {{ n }}))
        + ({{ sign }}) * {{ z }} * sqrt(
            greatest({{ x }}::numeric / {{ n }} * (1 - {{ x }}::numeric / {{ n }}), 0) / {{ n }}
            + {{ z }} * {{ z }} / (4 * {{ n }}::numeric * {{ n }})
        )
    ) / (1 + {{ z }} * {{ z }} / {{ n }}::numeric)
{%- endmacro %}
