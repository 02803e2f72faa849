with periods as (

    select
        period_start,
        period_end
    from {{ ref('stg_cfg__period') }}

),

special_days as (

    select
        special.calendar_date,
        special.day_kind,
        special.name_zh,
        special.name_en
    from {{ ref('stg_cfg__calendar_day') }} as special
    inner join {{ ref('stg_cfg__calendar') }} as calendars
        on
            special.calendar_id = calendars.calendar_id
            and special.calendar_date between calendars.valid_from and calendars.valid_to
    where calendars.is_default

),

dates as (

    select listed.midnight::date as calendar_date
    from periods
    cross join lateral generate_series(
        date_trunc('year', periods.period_start - interval '1 year'),
        date_trunc('year', periods.period_end) + interval '1 year' - interval '1 day',
        interval '1 day'
    ) as listed (midnight)

)

select
    dates.calendar_date,
    extract(isoyear from dates.calendar_date)::integer as iso_year,
    extract(week from dates.calendar_date)::integer as iso_week,
    date_trunc('week', dates.calendar_date)::date as week_start,
    date_trunc('month', dates.calendar_date)::date as month_start,
    extract(isodow from dates.calendar_date)::integer as day_of_week,
    (extract(isodow from dates.calendar_date) >= 6)::boolean as is_weekend,
    coalesce(special_days.day_kind = 'holiday', false) as is_holiday,
    coalesce(special_days.day_kind = 'make_up', false) as is_make_up_day,
    case special_days.day_kind
        when 'holiday' then false
        when 'make_up' then true
        else extract(isodow from dates.calendar_date) < 6
    end as is_working_day,
    special_days.name_zh as holiday_name_zh,
    special_days.name_en as holiday_name_en
from dates
left join special_days
    on dates.calendar_date = special_days.calendar_date
