{{ config(indexes=[{'columns': ['agent_key', 'business_date'], 'unique': true}]) }}
{{ moves(
    'date', counts={'fct_attendance': 'business_date', 'int_roster': 'shift_date'}, dates=['business_date'],
    whole='month', clock='days'
) }}

with attendances as (

    select * from {{ ref('fct_attendance') }}

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

employments as (

    {{ employments() }}

),

days as (

    select
        attendances.agent_key,
        attendances.team_key,
        attendances.is_counted,
        attendances.business_date,
        date_trunc('month', attendances.business_date)::date as month_start,
        coalesce(employments.hire_date, '-infinity') as hire_date,
        coalesce(employments.exit_date, 'infinity') as exit_date
    from attendances
    left join employments
        on attendances.agent_key = employments.agent_key
    where attendances.is_employed

),

months as (

    select
        agent_key,
        month_start,
        hire_date,
        exit_date,
        count(*) as rostered_days,
        array_agg(business_date) as known_dates
    from days
    group by agent_key, month_start, hire_date, exit_date

),

counted as (

    select
        months.agent_key,
        months.month_start,
        months.rostered_days,
        count(*) as month_working_days,
        count(*) filter (
            where working_days.calendar_date between months.hire_date and months.exit_date
        ) as own_working_days,
        -- What an unfinished month still holds: its rosters may be unknown, but it has more days than those that have
        -- passed.
        count(*) filter (
            where working_days.calendar_date between months.hire_date and months.exit_date
            and today.today_date <= working_days.calendar_date
            and working_days.calendar_date > coalesce(planned.last_planned, '-infinity')
            and working_days.calendar_date <> all(months.known_dates)
        ) as days_ahead
    from months
    cross join today
    inner join working_days
        on months.month_start = working_days.month_start
    left join planned
        on months.agent_key = planned.agent_key and months.month_start = planned.month_start
    group by months.agent_key, months.month_start, months.rostered_days

)

select
    days.agent_key,
    days.team_key,
    case
        when counted.own_working_days > 0
            then
                counted.own_working_days::numeric
                / (counted.month_working_days * (counted.rostered_days + counted.days_ahead))
        -- Who joins on the last weekend has no working day of the calendar: a day of theirs stands for one.
        else 1::numeric / counted.month_working_days
    end as month_share,
    days.is_counted,
    'voice' as voice_channel,
    days.business_date
from days
inner join counted
    on days.agent_key = counted.agent_key and days.month_start = counted.month_start
