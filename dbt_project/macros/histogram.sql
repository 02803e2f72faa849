{# Logarithmic buckets whose middle is never more than 1 % from any value in them: bucket b holds the values above
   g^(b-1) up to g^b, g = 1.01/0.99; values of 0 and less are in bucket -1 and read as 0. Buckets of equal number add up. #}
{% macro log_bucket(value) -%}
    (case when {{ value }} <= 0 then -1 else ceil(ln({{ value }}) / ln(1.01::double precision / 0.99)) end)::integer
{%- endmacro %}

{% macro bucket_value(bucket) -%}
    (case
        when {{ bucket }} = -1 then 0
        else 2 * power(1.01::double precision / 0.99, {{ bucket }}) / (1 + 1.01::double precision / 0.99)
    end)::numeric(20, 6)
{%- endmacro %}
