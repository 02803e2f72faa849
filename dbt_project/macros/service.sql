{# Whether a local time of the site lies in the daily service window of the parameters; its last hour is outside. #}
{% macro in_service_window(instant, site, parameters) -%}
    extract(hour from {{ instant }} at time zone {{ site }}.time_zone) >= {{ parameters }}.service_window_start_hour
    and extract(hour from {{ instant }} at time zone {{ site }}.time_zone) < {{ parameters }}.service_window_end_hour
{%- endmacro %}
