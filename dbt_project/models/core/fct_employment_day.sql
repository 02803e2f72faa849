{{ moves(dates=['business_date']) }}

with employees as (

    select
        employee_number,
        hire_date,
        exit_date,
        is_active,
        row_number() over (partition by employee_number order by source_id) as source_rank
    from {{ ref('stg_tabular__employee') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

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

-- The whole months of the period, as far as they have passed.
dates as (

    select listed.midnight::date as business_date
    from periods
    cross join site
    cross join lateral generate_series(
        date_trunc('month', periods.period_start),
        least(
            date_trunc('month', periods.period_end) + interval '1 month' - interval '1 day',
            {{ local_date("'" ~ var('as_of') ~ "'::timestamptz", 'site') }}
        ),
        interval '1 day'
    ) as listed (midnight)

),

employed as (

    select
        employees.employee_number as agent_key,
        dates.business_date,
        coalesce(dates.business_date = employees.exit_date, false) as is_leaver
    from dates
    inner join employees
        on
            (employees.hire_date is null or dates.business_date >= employees.hire_date)
            and (
                dates.business_date <= employees.exit_date
                -- Somebody who left nobody knows when is not employed on any day that can be named.
                or employees.exit_date is null and employees.is_active
            )
    where employees.source_rank = 1

)

select
    employed.agent_key,
    teams.team_key,
    employed.is_leaver,
    employed.business_date
from employed
inner join teams
    on
        employed.agent_key = teams.agent_key
        and employed.business_date between teams.valid_from and teams.valid_to
