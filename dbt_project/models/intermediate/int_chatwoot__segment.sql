{{ moves('conversation', key=['source_id', 'conversation_id'], is_number=true) }}

with changes as (

    select * from {{ ref('int_chatwoot__owner_change') }}

),

conversations as (

    select * from {{ ref('stg_chatwoot__conversation') }}

),

entries as (

    select * from {{ ref('int_chatwoot__entry') }}

),

agents as (

    select
        source_id,
        agent_id,
        name
    from {{ ref('stg_chatwoot__agent') }}

),

replies as (

    select * from {{ ref('stg_chatwoot__message') }}
    where author_kind = 'agent' and not is_private

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

numbered as (

    select
        *,
        count(*) filter (where effect in ('own', 'release')) over (
            partition by source_id, conversation_id
            order by message_id
        ) as owner_number,
        count(*) filter (where effect in ('open', 'close')) over (
            partition by source_id, conversation_id
            order by message_id
        ) as state_number,
        1 + count(*) filter (where effect = 'open' and state_before = 'close') over (
            partition by source_id, conversation_id
            order by message_id
        ) as episode_number
    from changes

),

stated as (

    select
        *,
        first_value(effect) over (
            partition by source_id, conversation_id, owner_number
            order by message_id
        ) = 'own'
        and first_value(effect) over (
            partition by source_id, conversation_id, state_number
            order by message_id
        ) != 'close' as is_owned
    from numbered

),

bounded as (

    select
        *,
        coalesce(
            lag(is_owned) over (partition by source_id, conversation_id order by message_id), false
        ) as was_owned
    from stated

),

-- A segment begins where somebody gets an open conversation or an owned one opens again, and ends where either changes.
stretches as (

    select
        *,
        lead(message_id) over (partition by source_id, conversation_id order by message_id) as next_message_id,
        lead(sent_at) over (partition by source_id, conversation_id order by message_id) as next_at,
        lead(effect) over (partition by source_id, conversation_id order by message_id) as next_effect
    from bounded
    where is_owned != was_owned or (is_owned and effect = 'own')

),

owned as (

    select
        stretches.source_id,
        stretches.conversation_id,
        stretches.message_id as start_message_id,
        stretches.next_message_id,
        stretches.sent_at as assigned_at,
        stretches.next_at,
        stretches.next_effect,
        stretches.event_type,
        stretches.episode_number,
        owners.owner_name,
        owners.owner_id,
        row_number() over (
            partition by stretches.source_id, stretches.conversation_id
            order by stretches.message_id
        ) as segment_number
    from stretches
    -- An opening goes on with the owner of before.
    inner join numbered as owners
        on
            stretches.source_id = owners.source_id
            and stretches.conversation_id = owners.conversation_id
            and stretches.owner_number = owners.owner_number
            and owners.effect = 'own'
    where
        stretches.is_owned
        -- A rule that takes the owner away on opening leaves no stretch.
        and not (
            stretches.effect = 'open'
            and coalesce(stretches.next_effect = 'release' and stretches.next_at = stretches.sent_at, false)
        )

),

-- Of namesakes, and of people who have left the account, it is the one who writes.
writers as (

    select
        owned.source_id,
        owned.conversation_id,
        owned.segment_number,
        (array_agg(replies.sender_id order by replies.message_id))[1] as sender_id
    from owned
    inner join replies
        on
            owned.source_id = replies.source_id
            and owned.conversation_id = replies.conversation_id
            and owned.start_message_id < replies.message_id
            and (owned.next_message_id is null or owned.next_message_id > replies.message_id)
    left join agents
        on replies.source_id = agents.source_id and replies.sender_id = agents.agent_id
    where owned.owner_id is null and coalesce(agents.name = owned.owner_name, true)
    group by owned.source_id, owned.conversation_id, owned.segment_number

),

settled as (

    select
        owned.source_id,
        owned.conversation_id,
        owned.segment_number,
        coalesce(
            owned.owner_id,
            writers.sender_id,
            case when owned.next_message_id is null then conversations.assignee_id end
        ) as agent_id,
        owned.assigned_at,
        case
            when owned.event_type = 'open' then 'reopen'
            when owned.segment_number > 1 then 'transfer'
            when owned.event_type = 'self_assign' then 'accept'
            when owned.event_type = 'push' then 'push'
            else 'assign'
        end as assigned_by,
        coalesce(
            owned.next_at,
            case
                when conversations.status = 'resolved' then conversations.last_activity_at
                when entries.last_message_at + limits.stale_close <= '{{ var("as_of") }}'::timestamptz
                    then entries.last_message_at + limits.stale_close
            end
        ) as ended_at,
        owned.next_effect,
        owned.owner_name,
        owned.start_message_id,
        owned.next_message_id,
        owned.episode_number,
        entries.entered_at
    from owned
    inner join conversations
        on owned.source_id = conversations.source_id and owned.conversation_id = conversations.conversation_id
    inner join entries
        on owned.source_id = entries.source_id and owned.conversation_id = entries.conversation_id
    cross join site
    {{ limits_of('entries.last_message_at', 'site') }}
    left join writers
        on
            owned.source_id = writers.source_id
            and owned.conversation_id = writers.conversation_id
            and owned.segment_number = writers.segment_number

),

followed as (

    select
        *,
        lead(agent_id) over in_order as next_agent_id,
        lead(owner_name) over in_order as next_owner_name,
        lead(episode_number) over in_order as next_episode_number
    from settled
    window in_order as (partition by source_id, conversation_id order by segment_number)

)

select
    source_id,
    conversation_id,
    segment_number,
    agent_id,
    assigned_at,
    assigned_by,
    ended_at,
    -- It went to somebody else, at once or by way of the queue. Who gives it back and takes it again passed nothing on.
    coalesce(
        next_effect in ('own', 'release')
        and next_episode_number = episode_number
        and case
            when agent_id is null and next_agent_id is null then next_owner_name is distinct from owner_name
            else next_agent_id is distinct from agent_id
        end,
        false
    ) as is_transfer,
    start_message_id,
    next_message_id,
    episode_number,
    entered_at
from followed
