{{ config(indexes=[{'columns': ['callid', 'source_id', 'ring_number'], 'unique': true}]) }}

with events as (

    select
        source_id,
        callid,
        queue_name,
        agent,
        event,
        event_at,
        second_ordinal,
        -- CONNECT tells seconds, RINGNOANSWER milliseconds.
        case
            when event = 'CONNECT' then data3::numeric
            else trim_scale(data1::numeric / 1000)
        end as ring_seconds
    from {{ ref('stg_asterisk__queue_log') }}
    where event in ('CONNECT', 'RINGNOANSWER')

)

select
    source_id,
    callid,
    row_number() over (partition by source_id, callid order by event_at, second_ordinal) as ring_number,
    queue_name as queue_account,
    agent as agent_account,
    event = 'CONNECT' as is_answered,
    event_at - make_interval(secs => coalesce(ring_seconds, 0)::double precision) as started_at,
    ring_seconds
from events
