with days as (

    select * from {{ ref('int_group_chat_day') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

-- A group and day counts once, however many sheets say so.
merged as (

    select
        group_id,
        agent_key,
        chat_date,
        max(messages_sent) as messages_sent,
        max(broadcasts_sent) as broadcasts_sent
    from days
    group by group_id, agent_key, chat_date

)

select
    merged.group_id,
    merged.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    merged.messages_sent,
    merged.broadcasts_sent,
    merged.messages_sent >= 1 as is_participation,
    merged.chat_date as business_date
from merged
left join teams
    on
        merged.agent_key = teams.agent_key
        and merged.chat_date between teams.valid_from and teams.valid_to
