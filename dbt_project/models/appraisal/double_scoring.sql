with tasks as (

    select *
    from {{ source('stats', 'double_score_task') }}
    where calc_id = '{{ var("calc_id") }}'

),

employees as (

    {{ agent_names() }}

)

select
    tasks.period_id::text as period_id,
    tasks.review_key::text as review_key,
    tasks.conversation_key::text as conversation_key,
    tasks.agent_key::text as agent_key,
    coalesce(agents.agent_name, tasks.agent_key)::text as agent_name,
    tasks.second_rater_key::text as second_rater_key,
    coalesce(raters.agent_name, tasks.second_rater_key)::text as second_rater_name,
    tasks.reason::text as reason
from tasks
left join employees as agents
    on tasks.agent_key = agents.agent_key
left join employees as raters
    on tasks.second_rater_key = raters.agent_key
