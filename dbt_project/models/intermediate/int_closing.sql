with chat_messages as (

    select * from {{ ref('stg_live_helper_chat__message') }}

),

desk_messages as (

    select * from {{ ref('stg_chatwoot__message') }}

),

chat_users as (

    select
        source_id,
        display_name,
        min(user_id) as user_id,
        count(*) as namesakes
    from {{ ref('stg_live_helper_chat__user') }}
    group by source_id, display_name

),

desk_agents as (

    select
        source_id,
        name,
        min(agent_id) as agent_id,
        count(*) as namesakes
    from {{ ref('stg_chatwoot__agent') }}
    group by source_id, name

)

-- Both systems name who closed in words only, so a name that two accounts share tells nobody.
select
    chat_messages.source_id,
    chat_messages.chat_id::text as conversation_id,
    chat_messages.message_id,
    chat_messages.sent_at as closed_at,
    chat_users.user_id::text as agent_account
from chat_messages
inner join chat_users
    on chat_messages.source_id = chat_users.source_id and chat_messages.event_actor = chat_users.display_name
where chat_messages.event_type = 'close_by_agent' and chat_users.namesakes = 1

union all

select
    desk_messages.source_id,
    desk_messages.conversation_id::text as conversation_id,
    desk_messages.message_id,
    desk_messages.sent_at as closed_at,
    desk_agents.agent_id::text as agent_account
from desk_messages
inner join desk_agents
    on desk_messages.source_id = desk_agents.source_id and desk_messages.event_actor = desk_agents.name
where desk_messages.event_type = 'resolve' and desk_agents.namesakes = 1
