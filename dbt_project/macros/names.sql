{# Live models build in wh_<layer>; a close builds everything in the one schema of its calculation. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if node.resource_type == 'unit_test' or custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif var('calc_id') == 'live' -%}
        wh_{{ custom_schema_name }}
    {%- else -%}
        {{ var('calc_id') }}
    {%- endif -%}
{%- endmacro %}
