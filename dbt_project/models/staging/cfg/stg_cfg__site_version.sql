with objects as (

    {{ config_versions('site') }}

)

select
    object_id as site_key,
    version as site_version,
    valid_from,
    valid_to,
    body ->> 'time_zone' as time_zone,
    (body ->> 'day_cutover')::interval as day_cutover,
    make_interval(mins => (body ->> 'shift_margin_minutes')::integer) as shift_margin,
    make_interval(days => (body ->> 'stale_close_days')::integer) as stale_close,
    make_interval(hours => (body ->> 'longest_attendance_hours')::integer) as longest_attendance,
    (body ->> 'acw_cap_seconds')::integer as acw_cap_seconds,
    (body ->> 'idle_gap_seconds')::integer as idle_gap_seconds,
    coalesce(body -> 'test_customers', '[]') as test_customers
from objects
