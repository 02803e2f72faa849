{{ moves('conversation', key=['source_id', 'chat_id'], is_number=true) }}

with chats as (

    select * from {{ ref('int_live_helper_chat__chat') }}

),

messages as (

    select * from {{ ref('stg_live_helper_chat__message') }}

),

users as (

    select
        source_id,
        user_id,
        username,
        display_name,
        count(*) over (partition by source_id, display_name) as namesakes
    from {{ ref('stg_live_helper_chat__user') }}

),

transfers as (

    select
        messages.source_id,
        messages.chat_id,
        messages.message_id,
        messages.sent_at,
        messages.event_actor,
        targets.user_id as target_user_id,
        row_number() over (
            partition by messages.source_id, messages.chat_id
            order by messages.message_id
        ) as transfer_number
    from messages
    left join users as targets
        on messages.source_id = targets.source_id and messages.event_target = targets.username
    where messages.event_type = 'transfer'

),

first_human as (

    select
        messages.source_id,
        messages.chat_id,
        (array_agg(messages.user_id order by messages.message_id))[1] as user_id
    from messages
    inner join transfers
        on
            messages.source_id = transfers.source_id
            and messages.chat_id = transfers.chat_id
            and transfers.transfer_number = 1
    where
        messages.author_kind = 'agent'
        and not messages.is_whisper
        and messages.message_id < transfers.message_id
    group by messages.source_id, messages.chat_id

),

-- The first owner is not recorded once a chat was passed on: it is whoever wrote first, else whoever passed it on.
owners as (

    select
        chats.source_id,
        chats.chat_id,
        1 as segment_number,
        coalesce(
            case when transfers.message_id is null then chats.user_id end,
            first_human.user_id,
            actors.user_id
        ) as user_id,
        chats.entered_at + make_interval(secs => chats.wait_seconds) as assigned_at,
        'accept' as assigned_by
    from chats
    left join transfers
        on
            chats.source_id = transfers.source_id
            and chats.chat_id = transfers.chat_id
            and transfers.transfer_number = 1
    left join first_human
        on chats.source_id = first_human.source_id and chats.chat_id = first_human.chat_id
    left join users as actors
        on
            transfers.source_id = actors.source_id
            and transfers.event_actor = actors.display_name
            and actors.namesakes = 1
    where chats.user_id > 0

    union all

    select
        source_id,
        chat_id,
        transfer_number + 1 as segment_number,
        target_user_id as user_id,
        sent_at as assigned_at,
        'transfer' as assigned_by
    from transfers

)

select
    owners.source_id,
    owners.chat_id,
    owners.segment_number,
    owners.user_id,
    owners.assigned_at,
    owners.assigned_by,
    coalesce(transfers.sent_at, chats.ended_at) as ended_at,
    transfers.message_id is not null as is_transfer,
    chats.entered_at
from owners
inner join chats
    on owners.source_id = chats.source_id and owners.chat_id = chats.chat_id
left join transfers
    on
        owners.source_id = transfers.source_id
        and owners.chat_id = transfers.chat_id
        and owners.segment_number = transfers.transfer_number
