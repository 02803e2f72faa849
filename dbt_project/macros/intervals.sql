{# Wilson interval of a proportion, one end (reliability.md 3.1): sign is -1 for the low end, +1 for the high end. #}
{% macro wilson(x, n, z, sign) -%}
    (
        2 * {{ x }} + {{ z }} * {{ z }}
        + ({{ sign }}) * {{ z }} * sqrt({{ z }} * {{ z }} + greatest(4 * {{ x }} * ({{ n }} - {{ x }}), 0) / {{ n }})
    ) / (2 * ({{ n }} + {{ z }} * {{ z }}))
{%- endmacro %}

{# Rank of the case that ends the interval of a quantile of n cases, whatever they are distributed like: as many cases
   lie below the quantile as heads fall in n throws. Below 1 and above n there is no such case. #}
{% macro quantile_rank(n, quantile, z, sign) -%}
    {{ 'floor' if sign < 0 else 'ceil' }}(
        {{ quantile }} * {{ n }}
        + ({{ sign }}) * {{ z }} * sqrt({{ quantile }} * (1 - {{ quantile }}) * {{ n }})
    )
{%- endmacro %}

{# Variance of the sum of a column over independent days: their number times the variance of one. #}
{% macro spread_of_sum(column, condition) -%}
    count(*) filter (where {{ condition }}) * var_samp({{ column }}) filter (where {{ condition }})
{%- endmacro %}

{# Student's t for the two-sided level of z, by Fisher's series: from 4 degrees of freedom on within 0.3 %. #}
{% macro student_t(z, freedom) -%}
    {{ z }} * (
        1
        + ({{ z }} ^ 2 + 1) / (4 * {{ freedom }})
        + (5 * {{ z }} ^ 4 + 16 * {{ z }} ^ 2 + 3) / (96 * {{ freedom }} ^ 2)
        + (3 * {{ z }} ^ 6 + 19 * {{ z }} ^ 4 + 17 * {{ z }} ^ 2 - 15) / (384 * {{ freedom }} ^ 3)
    )
{%- endmacro %}

{# Interval of a ratio of two sums over days, one end; NULL below 4 degrees of freedom. Days are what varies: contacts
   of one day share its incidents and its case mix, so they are not taken as independent. The error is that of
   numerator - ratio * denominator, whose variance comes from those of the numerator, the denominator and both added. #}
{% macro ratio_limit(rows, z, sign) -%}
    {%- set ratio = rows ~ '.numerator / ' ~ rows ~ '.denominator' -%}
    case
        when {{ rows }}.freedom >= 4 and {{ rows }}.denominator <> 0
            then
                {{ ratio }}
                + ({{ sign }}) * {{ student_t(z, rows ~ '.freedom') }} / {{ rows }}.denominator * sqrt(greatest(
                    {{ rows }}.spread_of_numerator
                    + {{ ratio }}
                    * ({{ rows }}.spread_of_numerator + {{ rows }}.spread_of_denominator - {{ rows }}.spread_of_both)
                    + ({{ ratio }}) ^ 2 * {{ rows }}.spread_of_denominator,
                    0
                ))
    end
{%- endmacro %}
