with talks as (

    select * from {{ ref('int_coaching') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

)

select
    talks.source_id || ':' || talks.coaching_id as coaching_key,
    talks.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    talks.coach_key,
    talks.metric_id,
    talks.cause,
    talks.measure,
    talks.follow_up_on,
    talks.coached_on as business_date
from talks
left join teams
    on
        talks.agent_key = teams.agent_key
        and talks.coached_on between teams.valid_from and teams.valid_to
