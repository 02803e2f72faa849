{{ moves(dates=['business_date']) }}

with courses as (

    select * from {{ ref('int_training') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

today as (

    select {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as today_date
    from {{ ref('stg_cfg__site') }} as site

)

select
    courses.source_id || ':' || courses.training_id as training_key,
    courses.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    courses.course_name,
    courses.course_kind,
    courses.assigned_on,
    courses.completed_on,
    courses.score as training_score,
    coalesce(courses.due_on <= today.today_date, false) as is_due,
    coalesce(courses.completed_on <= today.today_date, false) as is_completed,
    coalesce(courses.completed_on <= courses.due_on and courses.completed_on <= today.today_date, false) as is_on_time,
    courses.due_on as business_date
from courses
cross join today
left join teams
    on
        courses.agent_key = teams.agent_key
        and courses.due_on between teams.valid_from and teams.valid_to
