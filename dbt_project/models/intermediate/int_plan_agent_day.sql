{{ config(indexes=[{'columns': ['agent_key', 'business_date'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

plans as (

    select
        declared.plan_id,
        declared.role,
        coalesce(declared.team_ids, '[]') as team_ids,
        listed.plan_position
    from {{ ref('stg_cfg__plan') }} as declared
    cross join period
    inner join lateral jsonb_array_elements_text(period.plan_ids) with ordinality as listed (plan_id, plan_position)
        on declared.plan_id = listed.plan_id

),

defaults as (

    select (body #>> '{proration, min_stint_shifts}')::integer as min_stint_shifts
    from ({{ current_config('defaults') }}) as current_defaults

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

employees as (

    select
        employee_number,
        role,
        hire_date,
        exit_date,
        is_active,
        row_number() over (partition by employee_number order by source_id) as source_rank
    from {{ ref('stg_tabular__employee') }}

),

shifts as (

    select * from {{ ref('int_shift') }}
    where required_seconds > 0

),

dates as (

    select
        dates.calendar_date as business_date,
        dates.is_holiday,
        dates.is_working_day
    from {{ ref('dim_date') }} as dates
    inner join period
        on dates.calendar_date between period.period_start and period.period_end

),

-- Whole days that count for nobody, a team or an agent, each once; exempt days of single metrics leave the hours alone.
exempt as (

    select
        teams.agent_key,
        exemptions.business_date
    from {{ ref('fct_exemption') }} as exemptions
    inner join teams
        on
            exemptions.business_date between teams.valid_from and teams.valid_to
            and (
                exemptions.unit_kind = 'site'
                or (exemptions.unit_kind = 'team' and exemptions.unit_key = teams.team_key)
                or (exemptions.unit_kind = 'agent' and exemptions.unit_key = teams.agent_key)
            )
    where exemptions.metric_id is null
    group by teams.agent_key, exemptions.business_date

),

members as (

    select
        teams.agent_key,
        teams.team_key,
        dates.business_date,
        dates.is_working_day,
        dates.is_holiday or exempt.business_date is not null as is_left_out,
        coalesce(
            (employees.hire_date is null or dates.business_date >= employees.hire_date)
            and (
                dates.business_date <= employees.exit_date
                or employees.exit_date is null and employees.is_active is not false
            ), true
        ) as is_employed,
        coalesce(employees.role, 'agent') as hr_role
    from teams
    inner join dates
        on dates.business_date between teams.valid_from and teams.valid_to
    left join employees
        on teams.agent_key = employees.employee_number and employees.source_rank = 1
    left join exempt
        on teams.agent_key = exempt.agent_key and dates.business_date = exempt.business_date

),

-- The plan of a team and role: one that names the team goes first, then one for the role as HR writes it; a plan for
-- the role `agent` is for everybody who has none of their own.
assigned as (

    select
        listed.team_key,
        listed.hr_role,
        (
            array_agg(
                plans.plan_id
                order by
                    plans.team_ids ? listed.team_key desc,
                    plans.role = listed.hr_role desc,
                    plans.plan_position asc
            )
        )[1] as plan_id
    from (
        select
            team_key,
            hr_role
        from members
        group by team_key, hr_role
    ) as listed
    inner join plans
        on
            plans.role in (listed.hr_role, 'agent')
            and (plans.team_ids = '[]' or plans.team_ids ? listed.team_key)
    group by listed.team_key, listed.hr_role

),

days as (

    select
        members.agent_key,
        members.business_date,
        members.team_key,
        assigned.plan_id,
        members.is_working_day and not members.is_left_out as is_working_day,
        members.is_employed,
        shifts.is_on_leave or shifts.is_on_half_leave as is_on_leave,
        case when members.is_left_out or not members.is_employed then 0 else coalesce(shifts.required_seconds, 0) end
            as scheduled_seconds,
        case
            when members.is_left_out or not members.is_employed or shifts.is_on_leave then 0
            when shifts.is_on_half_leave then shifts.required_seconds / 2.0
            else coalesce(shifts.required_seconds, 0)
        end as in_scope_seconds
    from members
    inner join assigned
        on members.team_key = assigned.team_key and members.hr_role = assigned.hr_role
    left join shifts
        on members.agent_key = shifts.agent_key and members.business_date = shifts.shift_date

),

stints as (

    select
        agent_key,
        plan_id,
        -- Without any roster the working days of employment stand for shifts.
        case
            when sum(sum(scheduled_seconds)) over (partition by agent_key) > 0
                then count(*) filter (where scheduled_seconds > 0)
            else count(*) filter (where is_working_day and is_employed)
        end as shift_count,
        row_number() over (
            partition by agent_key
            order by
                sum(in_scope_seconds) desc,
                sum(scheduled_seconds) desc,
                count(*) desc,
                max(business_date) desc,
                plan_id asc
        ) as stint_rank
    from days
    group by agent_key, plan_id

),

-- A stint of a few shifts says nothing by itself: its days count with the longest one.
settled as (

    select
        stints.agent_key,
        stints.plan_id,
        case
            when stints.stint_rank = 1 or stints.shift_count >= defaults.min_stint_shifts then stints.plan_id
            else longest.plan_id
        end as scored_plan_id
    from stints
    cross join defaults
    inner join stints as longest
        on stints.agent_key = longest.agent_key and longest.stint_rank = 1

)

select
    days.agent_key,
    days.business_date,
    days.team_key,
    settled.scored_plan_id as plan_id,
    days.plan_id as plan_of_day_id,
    days.is_working_day,
    days.is_employed,
    coalesce(days.is_on_leave, false) as is_on_leave,
    days.scheduled_seconds::numeric as scheduled_seconds,
    days.in_scope_seconds::numeric as in_scope_seconds
from days
inner join settled
    on days.agent_key = settled.agent_key and days.plan_id = settled.plan_id
