with periods as (

    select
        period_start,
        period_end
    from {{ ref('stg_cfg__period') }}

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
    calendar_date,
    extract(isoyear from calendar_date)::integer as iso_year,
    extract(week from calendar_date)::integer as iso_week,
    date_trunc('week', calendar_date)::date as week_start,
    date_trunc('month', calendar_date)::date as month_start,
    extract(isodow from calendar_date)::integer as day_of_week,
    (extract(isodow from calendar_date) >= 6)::boolean as is_weekend
from dates
