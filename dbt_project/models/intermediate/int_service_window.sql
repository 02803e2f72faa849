with calendars as (

    select * from {{ ref('stg_cfg__calendar') }}

),

special_days as (

    select * from {{ ref('stg_cfg__calendar_day') }}

),

windows as (

    select * from {{ ref('stg_cfg__calendar_window') }}

),

periods as (

    select
        period_start,
        period_end
    from {{ ref('stg_cfg__period') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- Long enough for the clock of an old ticket, and for a due instant after the period.
dates as (

    select listed.midnight::date as calendar_date
    from periods
    cross join lateral generate_series(
        date_trunc('year', periods.period_start - interval '3 years'),
        date_trunc('year', periods.period_end) + interval '2 years' - interval '1 day',
        interval '1 day'
    ) as listed (midnight)

),

days as (

    select
        calendars.calendar_id,
        calendars.is_default,
        dates.calendar_date,
        case
            when special_days.day_kind is null then extract(isodow from dates.calendar_date)::integer
            when special_days.day_kind = 'make_up' then calendars.make_up_weekday
        end as day_of_week
    from dates
    inner join calendars
        on dates.calendar_date between calendars.valid_from and calendars.valid_to
    left join special_days
        on
            calendars.calendar_id = special_days.calendar_id
            and dates.calendar_date = special_days.calendar_date

),

-- Each local time goes to UTC by itself, so a window over a change of the clocks is an hour longer or shorter.
local_hours as (

    select
        days.calendar_id,
        days.is_default,
        days.calendar_date,
        days.calendar_date + windows.start_time as local_start,
        days.calendar_date + windows.end_time
        + case when windows.ends_next_day then interval '1 day' else interval '0' end as local_end
    from days
    inner join windows
        on
            days.calendar_id = windows.calendar_id
            and days.day_of_week is not distinct from windows.day_of_week
            and days.calendar_date between windows.valid_from and windows.valid_to

),

opened as (

    select
        local_hours.calendar_id,
        local_hours.is_default,
        local_hours.calendar_date as business_date,
        {{ local_instant('local_hours.local_start', 'site') }} as service_start,
        {{ local_instant('local_hours.local_end', 'site') }} as service_end
    from local_hours
    cross join site

),

-- Where a night window runs into the first window of another kind of day, the later one goes on.
cut as (

    select
        calendar_id,
        is_default,
        business_date,
        service_start,
        least(
            service_end, lead(service_start, 1, 'infinity') over (partition by calendar_id order by service_start)
        ) as service_end
    from opened

)

select
    calendar_id,
    is_default,
    service_start,
    service_end,
    business_date,
    coalesce(
        sum(extract(epoch from service_end - service_start)) over (
            partition by calendar_id
            order by service_start
            rows between unbounded preceding and 1 preceding
        ),
        0
    )::bigint as seconds_before
from cut
where service_end > service_start
