{{ moves('conversation', key=['source_id', 'conversation_id'], is_number=true) }}

with conversations as (

    select * from {{ ref('stg_chatwoot__conversation') }}

),

messages as (

    select * from {{ ref('stg_chatwoot__message') }}

),

entries as (

    select * from {{ ref('int_chatwoot__entry') }}

),

teams as (

    select
        source_id,
        name
    from {{ ref('stg_chatwoot__team') }}
    group by source_id, name

),

agents as (

    select
        source_id,
        name,
        min(agent_id) as agent_id,
        count(*) as namesakes
    from {{ ref('stg_chatwoot__agent') }}
    group by source_id, name

),

changes as (

    select
        source_id,
        conversation_id,
        message_id,
        sent_at,
        event_type,
        case
            when event_type in ('self_assign', 'assign', 'assign_via_team') then 'own'
            when event_type = 'unassign' then 'release'
            when event_type = 'open' then 'open'
            else 'close'
        end as effect,
        case when event_type = 'self_assign' then event_actor else event_target end as owner_name
    from messages
    where
        event_type in (
            'self_assign', 'assign', 'assign_via_team', 'unassign', 'open', 'resolve', 'resolve_by_customer',
            'resolve_by_system'
        )

),

named as (

    select
        changes.source_id,
        changes.conversation_id,
        changes.message_id,
        changes.sent_at,
        changes.event_type,
        changes.effect,
        changes.owner_name,
        case when agents.namesakes = 1 then agents.agent_id end as owner_id
    from changes
    left join agents
        on changes.source_id = agents.source_id and changes.owner_name = agents.name
    left join teams
        on changes.source_id = teams.source_id and changes.owner_name = teams.name
    -- The text for a team is the text for an agent; an agent who has left the account is neither.
    where not (changes.event_type = 'assign' and agents.name is null and teams.name is not null)

),

first_owned as (

    select
        source_id,
        conversation_id,
        min(message_id) as message_id
    from named
    where effect = 'own'
    group by source_id, conversation_id

),

first_human as (

    select
        messages.source_id,
        messages.conversation_id,
        (array_agg(messages.sender_id order by messages.message_id))[1] as sender_id
    from messages
    left join first_owned
        on messages.source_id = first_owned.source_id and messages.conversation_id = first_owned.conversation_id
    where
        messages.author_kind = 'agent'
        and not messages.is_private
        and (first_owned.message_id is null or messages.message_id < first_owned.message_id)
    group by messages.source_id, messages.conversation_id

),

opened_and_closed as (

    select
        source_id,
        conversation_id,
        message_id,
        lag(effect) over (partition by source_id, conversation_id order by message_id) as state_before,
        lag(sent_at) over (partition by source_id, conversation_id order by message_id) as state_before_at
    from named
    where effect in ('open', 'close')

)

select
    named.source_id,
    named.conversation_id,
    named.message_id,
    named.sent_at,
    named.event_type,
    named.effect,
    named.owner_name,
    named.owner_id,
    opened_and_closed.state_before,
    opened_and_closed.state_before_at
from named
left join opened_and_closed
    on
        named.source_id = opened_and_closed.source_id
        and named.conversation_id = opened_and_closed.conversation_id
        and named.message_id = opened_and_closed.message_id

union all

-- What the server assigns by itself leaves no trace but the owner.
select
    conversations.source_id,
    conversations.conversation_id,
    0 as message_id,
    entries.entered_at as sent_at,
    'push' as event_type,
    'own' as effect,
    null as owner_name,
    case
        when first_owned.message_id is null then coalesce(conversations.assignee_id, first_human.sender_id)
        else first_human.sender_id
    end as owner_id,
    null as state_before,
    null::timestamptz as state_before_at
from conversations
inner join entries
    on
        conversations.source_id = entries.source_id
        and conversations.conversation_id = entries.conversation_id
left join first_owned
    on
        conversations.source_id = first_owned.source_id
        and conversations.conversation_id = first_owned.conversation_id
left join first_human
    on
        conversations.source_id = first_human.source_id
        and conversations.conversation_id = first_human.conversation_id
where
    first_human.sender_id is not null
    or (first_owned.message_id is null and conversations.assignee_id is not null)
