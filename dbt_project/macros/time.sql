{# The date of an agent's event: the date of the rostered shift it starts in (with the margin), else the local date of
   its anchor. Joins `site` and lateral `shift` must be in scope: see shift_of. #}
{% macro agent_business_date(shift, anchor, site) -%}
    coalesce({{ shift }}.shift_date, {{ local_date(anchor, site) }})
{%- endmacro %}

{% macro local_date(instant, site) -%}
    (({{ instant }} at time zone {{ site }}.time_zone) - {{ site }}.day_cutover)::date
{%- endmacro %}

{# Join: the site's limits as they were on the day of an instant. Join `site` must be in scope. #}
{% macro limits_of(instant, site) -%}
    left join {{ ref('stg_cfg__site_version') }} as limits
        on {{ local_date(instant, site) }} between limits.valid_from and limits.valid_to
{%- endmacro %}

{# The instant of a local time. One that occurs twice, when the clocks go back, is the first of the two; one that never
   occurs, when they go forward, counts from the hour before: 02:30 is then 03:30. #}
{% macro local_instant(local_time, site) -%}
    case
        when
            (({{ local_time }} - interval '1 day') at time zone {{ site }}.time_zone + interval '24 hours')
            at time zone {{ site }}.time_zone = {{ local_time }}
            then ({{ local_time }} - interval '1 day') at time zone {{ site }}.time_zone + interval '24 hours'
        else ({{ local_time }}) at time zone {{ site }}.time_zone
    end
{%- endmacro %}

{# Lateral join: the shift of the agent in which an instant lies; the shift that contains it wins over a margin. A
   shift whose days are split gives no date: its events keep their own. #}
{% macro shift_of(agent_key, instant, site, alias) -%}
    left join lateral (
        select
            coalesce(
                min(s.shift_date) filter (where {{ instant }} between s.shift_start and s.shift_end), min(s.shift_date)
            ) as shift_date
        from {{ ref('int_shift') }} as s
        where
            s.agent_key = {{ agent_key }}
            and s.shift_start <= {{ instant }} + {{ site }}.shift_margin
            and s.shift_end >= {{ instant }} - {{ site }}.shift_margin
            -- No shift is longer: the index then reads two or three rows and not all of the past.
            and s.shift_start > {{ instant }} - interval '2 days'
            and s.is_split is not true
    ) as {{ alias }} on true
{%- endmacro %}

{# The days of hire and exit of everybody whom HR knows, NULL where it does not know them: one row for each person. #}
{% macro employments() -%}
    select
        agent_key,
        min(hire_date) as hire_date,
        max(exit_date) as exit_date
    from {{ ref('dim_agent') }}
    group by agent_key
{%- endmacro %}

{# Lateral join: on-duty seconds from one instant to another for an agent, and the date of the shift that covers the
   second one, unless its days are split. A day of approved leave is no duty, half a day is. Work outside the roster
   counts in calendar seconds and says so; never negative. #}
{% macro on_duty_seconds(agent_key, start_at, end_at, alias) -%}
    left join lateral (
        select
            coalesce(bool_or({{ end_at }} between s.shift_start and s.shift_end), false) as is_on_duty,
            min(s.shift_date) filter (
                where {{ end_at }} between s.shift_start and s.shift_end and s.is_split is not true
            ) as shift_date,
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
            and s.shift_start > {{ start_at }} - interval '2 days'
            and s.is_on_leave is not true
    ) as {{ alias }} on true
{%- endmacro %}

{# Seconds between two instants in which a reply was awaited, by the hours of `hours_mode`: those of the roster unless
   all seconds count. #}
{% macro duration_seconds(start_at, end_at, duty, parameters) -%}
    case
        when {{ parameters }}.hours_mode in ('calendar', 'window')
            then greatest(extract(epoch from {{ end_at }} - {{ start_at }}), 0)
        when {{ duty }}.is_on_duty then {{ duty }}.overlap_seconds
        else greatest(extract(epoch from {{ end_at }} - {{ start_at }}), 0)
    end
{%- endmacro %}

{# Lateral join: seconds between two instants in which the service is open by a calendar (the default one unless its id
   is given, as an SQL text); 0 when all of it lies in closed hours, NULL when an instant is missing. #}
{% macro business_seconds(start_at, end_at, alias, calendar_id=none) -%}
    left join lateral (
        select
            case
                when {{ start_at }} <= {{ end_at }}
                    then {{ open_seconds_by(end_at, calendar_id) }} - {{ open_seconds_by(start_at, calendar_id) }}
                when {{ start_at }} > {{ end_at }} then 0
            end as business_seconds
    ) as {{ alias }} on true
{%- endmacro %}

{# Open seconds of a calendar from its first window to an instant: one look into an index, however long ago it began. #}
{% macro open_seconds_by(instant, calendar_id=none) -%}
    coalesce(
        (
            select
                w.seconds_before
                + extract(epoch from least({{ instant }}, w.service_end) - w.service_start)
            from {{ ref('int_service_window') }} as w
            where
                {% if calendar_id is none %}w.is_default{% else %}w.calendar_id = {{ calendar_id }}{% endif %}
                and w.service_start <= {{ instant }}
            order by w.service_start desc
            limit 1
        ),
        0
    )
{%- endmacro %}

{# Lateral join: the instant `due_at` by which a number of open seconds, more than 0, has passed since an instant; it
   never lies in closed hours, except as the end of a window. NULL when an input is missing or the calendar's windows do
   not reach it. #}
{% macro business_due_at(start_at, seconds, alias, calendar_id=none) -%}
    left join lateral (
        select
            case
                when
                    target.open_seconds - w.seconds_before
                    <= extract(epoch from w.service_end - w.service_start)
                    then w.service_start + make_interval(
                        secs => (target.open_seconds - w.seconds_before)::double precision
                    )
            end as due_at
        from (
            select
                case
                    when {{ start_at }} is not null
                        then {{ open_seconds_by(start_at, calendar_id) }} + {{ seconds }}
                end as open_seconds
            -- Looked up once, not wherever it is read.
            limit 1
        ) as target
        inner join {{ ref('int_service_window') }} as w
            on ceil(target.open_seconds)::bigint > w.seconds_before
        where {% if calendar_id is none %}w.is_default{% else %}w.calendar_id = {{ calendar_id }}{% endif %}
        order by w.seconds_before desc
        limit 1
    ) as {{ alias }} on true
{%- endmacro %}

{# Seconds that a multirange of instants covers; 0 for an empty one and for none. #}
{% macro covered_seconds(ranges) -%}
    (
        select coalesce(sum(extract(epoch from upper(r.stretch) - lower(r.stretch))), 0)::bigint
        from unnest({{ ranges }}) as r (stretch)
    )
{%- endmacro %}

{# The day on which the cases of a day have been watched for the window of their metric, see int_metric_window; NULL for
   a metric without one, which counts a day as it is. #}
{% macro matured_on(day, windows) -%}
    greatest({{ day }} + {{ windows }}.window_days, {{ windows }}.not_before)
{%- endmacro %}

{# The first day of the range of a kind in which a day lies; NULL for the period when the day lies outside. `counted_on` is
   the day by which it belongs to the period. Needs a relation named period. #}
{% macro range_start(kind, day, counted_on=none) -%}
    {%- if kind == 'day' -%}
        {{ day }}
    {%- elif kind == 'week' -%}
        {{ day }} - extract(isodow from {{ day }})::integer + 1
    {%- elif kind == 'month' -%}
        {{ day }} - extract(day from {{ day }})::integer + 1
    {%- else -%}
        case
            when {{ counted_on or day }} between period.period_start and period.period_end then period.period_start
        end
    {%- endif -%}
{%- endmacro %}

{# The ranges in which a day lies, each by its kind and first day. #}
{% macro ranges_of(day, with_day=true, counted_on=none) -%}
    values
    {%- for kind in range_kinds(with_day) %}
    ('{{ kind }}', {{ range_start(kind, day, counted_on) }}){{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro range_kinds(with_day=true) %}
    {{ return((['day'] if with_day else []) + ['week', 'month', 'period']) }}
{% endmacro %}
