{# A value of a metric in words: shares in per cent, times in seconds, everything else as it is. #}
{% macro value_in_words(value, unit, decimals=1) -%}
    case {{ unit }}
        when 'share' then round(100 * {{ value }}, {{ decimals }})::text || ' %'
        when 'seconds' then round({{ value }}, {{ decimals }})::text || ' s'
        else round({{ value }}, {{ decimals }})::text
    end
{%- endmacro %}

{# A difference of two values in words: shares in points. #}
{% macro difference_in_words(value, unit, points, decimals=1) -%}
    case {{ unit }}
        when 'share' then round(100 * {{ value }}, {{ decimals }})::text || ' {{ points }}'
        when 'seconds' then round({{ value }}, {{ decimals }})::text || ' s'
        else round({{ value }}, {{ decimals }})::text
    end
{%- endmacro %}
