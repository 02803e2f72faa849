{# The date of an agent's event: the date of the rostered shift it starts in (with the margin), else the local date of
   its anchor. Joins `site` and lateral `shift` must be in scope: see shift_of. #}
{% macro agent_business_date(shift, anchor, site) -%}
    coalesce({{ shift }}.shift_date, {{ local_date(anchor, site) }})
{%- endmacro %}

{% macro local_date(instant, site) -%}
    (({{ instant }} at time zone {{ site }}.time_zone) - {{ site }}.day_cutover)::date
{%- endmacro %}

{# Lateral join: the shift of the agent in which an instant lies; the shift that contains it wins over a margin. #}
{% macro shift_of(agent_key, instant, site, alias) -%}
    left join lateral (
        select s.shift_date
        from {{ ref('int_shift') }} as s
        where
            s.agent_key = {{ agent_key }}
            and {{ instant }} >= s.shift_start - {{ site }}.shift_margin
            and {{ instant }} <= s.shift_end + {{ site }}.shift_margin
        order by ({{ instant }} between s.shift_start and s.shift_end) desc, s.shift_date
        limit 1
    ) as {{ alias }} on true
{%- endmacro %}

{# Lateral join: on-duty seconds from one instant to another for an agent. Work outside the roster counts in calendar
   seconds and says so; never negative. #}
{% macro on_duty_seconds(agent_key, start_at, end_at, alias) -%}
    left join lateral (
        select
            coalesce(bool_or({{ end_at }} between s.shift_start and s.shift_end), false) as is_on_duty,
            sum(
                greatest(
                    extract(epoch from least({{ end_at }}, s.shift_end) - greatest({{ start_at }}, s.shift_start)), 0
                )
            ) as overlap_seconds
        from {{ ref('int_shift') }} as s
        where
            s.agent_key = {{ agent_key }}
            and s.shift_start <= {{ end_at }}
            and s.shift_end >= {{ start_at }}
    ) as {{ alias }} on true
{%- endmacro %}

{% macro duration_seconds(start_at, end_at, duty) -%}
    case
        when {{ duty }}.is_on_duty then {{ duty }}.overlap_seconds
        else greatest(extract(epoch from {{ end_at }} - {{ start_at }}), 0)
    end
{%- endmacro %}
