{{ config(indexes=[{'columns': ['agent_key', 'business_date'], 'unique': true}]) }}

with days as (

    select
        *,
        date_trunc('month', business_date)::date as month_start
    from {{ ref('fct_attendance') }}

),

today as (

    select {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as today_date
    from {{ ref('stg_cfg__site') }} as site

),

working_days as (

    select
        calendar_date,
        month_start
    from {{ ref('dim_date') }}
    where is_working_day

),

-- How far somebody's roster is published, days off included.
planned as (

    select
        agent_key,
        date_trunc('month', shift_date)::date as month_start,
        max(shift_date) as last_planned
    from {{ ref('int_roster') }}
    where not is_withdrawn
    group by agent_key, date_trunc('month', shift_date)

),

leavers as (

    select
        agent_key,
        max(exit_date) as exit_date
    from {{ ref('dim_agent') }}
    group by agent_key

),

months as (

    select
        agent_key,
        month_start,
        array_agg(business_date) as known_dates
    from days
    group by agent_key, month_start

),

-- What an unfinished month still holds: its rosters may be unknown, but it has more days than those that have passed.
ahead as (

    select
        months.agent_key,
        months.month_start,
        count(working_days.calendar_date) as day_count
    from months
    cross join today
    left join planned
        on months.agent_key = planned.agent_key and months.month_start = planned.month_start
    left join leavers
        on months.agent_key = leavers.agent_key
    left join working_days
        on
            months.month_start = working_days.month_start
            and today.today_date <= working_days.calendar_date
            and working_days.calendar_date > coalesce(planned.last_planned, '-infinity')
            and working_days.calendar_date <= coalesce(leavers.exit_date, 'infinity')
            and working_days.calendar_date <> all(months.known_dates)
    group by months.agent_key, months.month_start

)

select
    days.agent_key,
    days.team_key,
    -- What is expected of a month is spread over the days somebody is rostered on in it.
    1::numeric
    / (count(*) over (partition by days.agent_key, days.month_start) + ahead.day_count) as month_share,
    days.is_counted,
    'voice' as voice_channel,
    days.business_date
from days
inner join ahead
    on days.agent_key = ahead.agent_key and days.month_start = ahead.month_start
