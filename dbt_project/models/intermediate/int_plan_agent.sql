with plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

)

select
    plans.plan_id,
    plans.plan_version,
    period.period_id,
    teams.agent_key,
    (array_agg(teams.team_key order by teams.valid_from desc))[1] as team_key,
    -- Cohort = plan version x role x period; agents of one cohort share every weight (reliability.md 1).
    plans.plan_id || '_v' || plans.plan_version || '/' || plans.role as cohort_key
from plans
cross join period
inner join teams
    on period.period_end >= teams.valid_from and period.period_start <= teams.valid_to
group by plans.plan_id, plans.plan_version, plans.role, period.period_id, teams.agent_key
