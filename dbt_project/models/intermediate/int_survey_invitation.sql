{{ moves(key=['source_id', 'conversation_id']) }}

with legs as (

    select * from {{ ref('stg_asterisk__cdr') }}

),

answers as (

    select
        source_id,
        callid
    from {{ ref('stg_asterisk__queue_log') }}
    where event = 'SURVEY'
    group by source_id, callid

),

invited as (

    -- A caller can be sent to the survey once per call: several legs of one call are one invitation.
    select
        source_id,
        uniqueid,
        min(started_at) as invited_at
    from legs
    where dst = 'survey'
    group by source_id, uniqueid

),

desk_answers as (

    select
        source_id,
        conversation_id
    from {{ ref('stg_chatwoot__csat_response') }}
    group by source_id, conversation_id

),

desk_invited as (

    -- Each resolving can invite again: a conversation counts once.
    select
        source_id,
        conversation_id,
        min(sent_at) as invited_at
    from {{ ref('stg_chatwoot__message') }}
    where content_type = 'input_csat'
    group by source_id, conversation_id

)

select
    invited.source_id,
    invited.uniqueid as conversation_id,
    invited.invited_at,
    answers.callid is not null as is_answered
from invited
left join answers
    on invited.source_id = answers.source_id and invited.uniqueid = answers.callid

union all

select
    desk_invited.source_id,
    desk_invited.conversation_id::text as conversation_id,
    desk_invited.invited_at,
    desk_answers.conversation_id is not null as is_answered
from desk_invited
left join desk_answers
    on
        desk_invited.source_id = desk_answers.source_id
        and desk_invited.conversation_id = desk_answers.conversation_id
