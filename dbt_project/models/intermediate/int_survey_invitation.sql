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

)

select
    invited.source_id,
    invited.uniqueid as conversation_id,
    invited.invited_at,
    answers.callid is not null as is_answered
from invited
left join answers
    on invited.source_id = answers.source_id and invited.uniqueid = answers.callid
