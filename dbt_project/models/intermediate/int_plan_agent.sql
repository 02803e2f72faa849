with days as (

    select * from {{ ref('int_plan_agent_day') }}

),

plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

working_days as (

    select count(*) filter (where dates.is_working_day) as working_days
    from {{ ref('dim_date') }} as dates
    inner join period
        on dates.calendar_date between period.period_start and period.period_end

),

employees as (

    select
        employee_number,
        hire_date,
        row_number() over (partition by employee_number order by source_id) as source_rank
    from {{ ref('stg_tabular__employee') }}

),

defaults as (

    select
        (body #>> '{proration, min_share}')::numeric as min_share,
        (body #>> '{proration, long_leave_days}')::integer as long_leave_days
    from ({{ current_config('defaults') }}) as current_defaults

),

long_leaves as (

    select requests.employee_number
    from {{ ref('stg_tabular__leave_request') }} as requests
    cross join period
    cross join defaults
    where
        requests.status = 'approved'
        and requests.start_date <= period.period_end
        and requests.end_date >= period.period_start
        and requests.end_date - requests.start_date + 1 >= defaults.long_leave_days
    group by requests.employee_number

),

-- The team in which most of a stint's hours lie; its overlay holds for the whole stint.
teams as (

    select
        agent_key,
        plan_id,
        team_key,
        row_number() over (
            partition by agent_key, plan_id
            order by sum(in_scope_seconds) desc, count(*) desc, max(business_date) desc
        ) as hours_rank
    from days
    group by agent_key, plan_id, team_key

),

stints as (

    select
        agent_key,
        plan_id,
        min(business_date) as first_date,
        max(business_date) as last_date,
        (array_agg(team_key order by business_date desc))[1] as team_key,
        count(*) as day_count,
        sum(scheduled_seconds) as scheduled_seconds,
        sum(in_scope_seconds) as in_scope_seconds,
        count(*) filter (where scheduled_seconds > 0) as shift_count
    from days
    group by agent_key, plan_id

),

-- What the agent would have been scheduled for in the whole period: days outside of employment, or without a team,
-- count as much as the agent's own working days do.
people as (

    select
        days.agent_key,
        sum(days.in_scope_seconds) as in_scope_seconds,
        sum(days.scheduled_seconds) as scheduled_seconds,
        count(*) as day_count,
        count(*) filter (where days.is_working_day and days.is_employed) as own_working_days,
        max(working_days.working_days)
        - count(*) filter (where dates.is_working_day and not days.is_working_day) as period_working_days
    from days
    inner join {{ ref('dim_date') }} as dates
        on days.business_date = dates.calendar_date
    cross join working_days
    group by days.agent_key

),

shares as (

    select
        agent_key,
        in_scope_seconds,
        scheduled_seconds,
        day_count,
        case
            when scheduled_seconds > 0 and own_working_days > 0
                then in_scope_seconds * own_working_days / (scheduled_seconds * period_working_days)
            when scheduled_seconds > 0 then in_scope_seconds / scheduled_seconds
            when period_working_days > 0 then own_working_days::numeric / period_working_days
            else 0
        end as worked_share
    from people

),

shared as (

    select
        stints.*,
        case
            when shares.in_scope_seconds > 0 then stints.in_scope_seconds / shares.in_scope_seconds
            when shares.scheduled_seconds > 0 then stints.scheduled_seconds / shares.scheduled_seconds
            else stints.day_count::numeric / shares.day_count
        end as exact_share,
        least(shares.worked_share, 1) as worked_share,
        count(*) over (partition by stints.agent_key) as stint_count,
        row_number() over (partition by stints.agent_key order by stints.last_date desc, stints.plan_id asc)
            as last_rank
    from stints
    inner join shares
        on stints.agent_key = shares.agent_key

),

tenured as (

    select
        shared.*,
        employees.hire_date,
        -- Whole months of tenure on the first day of the period; who came later is in the first month.
        case
            when employees.hire_date is not null
                then
                    greatest(
                        extract(year from age(period.period_start, employees.hire_date)) * 12
                        + extract(month from age(period.period_start, employees.hire_date)),
                        0
                    )::integer
        end as tenure_months
    from shared
    cross join period
    left join employees
        on shared.agent_key = employees.employee_number and employees.source_rank = 1

)

select
    tenured.plan_id,
    plans.plan_version,
    period.period_id,
    tenured.agent_key,
    tenured.team_key,
    -- Cohort = plan version x role x period; agents of one cohort share every weight (reliability.md 1).
    plans.plan_id || '_v' || plans.plan_version || '/' || plans.role as cohort_key,
    plans.plan_id || '_v' || plans.plan_version || '/' || plans.role
    || case when tenured.tenure_months < jsonb_array_length(plans.ramp) then '/new_hire' else '' end as peer_group_key,
    tenured.first_date,
    tenured.last_date,
    teams.team_key as weight_team_key,
    tenured.shift_count,
    -- The last stint takes what rounding leaves, so that the shares of an agent add up to 1 exactly.
    case
        when tenured.last_rank = 1
            then 1 - coalesce(
                sum(round(tenured.exact_share, 10)) filter (where tenured.last_rank > 1)
                    over (partition by tenured.agent_key), 0
            )
        else round(tenured.exact_share, 10)
    end as stint_share,
    tenured.stint_count,
    tenured.last_rank = 1 as is_last_stint,
    round(tenured.worked_share, 10) as worked_share,
    tenured.worked_share < defaults.min_share as is_too_little_time,
    long_leaves.employee_number is not null as is_on_long_leave,
    tenured.hire_date,
    case
        when tenured.tenure_months < jsonb_array_length(plans.ramp)
            then (plans.ramp ->> tenured.tenure_months)::numeric
        else 1
    end as ramp_share,
    coalesce(tenured.tenure_months < jsonb_array_length(plans.ramp), false) as is_new_hire,
    tenured.hire_date + plans.gate_free_days as gates_spared_until
from tenured
cross join period
cross join defaults
inner join plans
    on tenured.plan_id = plans.plan_id
inner join teams
    on tenured.agent_key = teams.agent_key and tenured.plan_id = teams.plan_id and teams.hours_rank = 1
left join long_leaves
    on tenured.agent_key = long_leaves.employee_number
