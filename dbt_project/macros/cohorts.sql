{# The key of a cohort without the version of its plan: a new version does not forget what was learned. #}
{% macro lasting_key(cohort_key) -%}
    regexp_replace({{ cohort_key }}, '_v[0-9]+(?=/|$)', '')
{%- endmacro %}
