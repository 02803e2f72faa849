{{ moves('conversation', key=['source_id', 'callid']) }}

with events as (

    select
        source_id,
        event_at,
        callid,
        queue_name,
        agent,
        event,
        data1,
        data2,
        data3,
        data4,
        data5,
        caller_key,
        caller_kind,
        row_number() over (partition by source_id, callid order by event_at, second_ordinal) as event_number
    from {{ ref('stg_asterisk__queue_log') }}
    where event in (
        'ENTERQUEUE', 'CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER',
        'ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY', 'EXITWITHKEY', 'WITHDRAW', 'SYSCOMPAT', 'AGENTDUMP'
    )

),

numbered as (

    -- The same call can enter the same queue again, so visits are counted from entry to entry.
    select
        *,
        count(*) filter (where event = 'ENTERQUEUE') over (
            partition by source_id, callid, queue_name
            order by event_number
        ) as visit_number
    from events

),

entries as (

    select *
    from numbered
    where event = 'ENTERQUEUE'

),

connections as (

    select
        *,
        row_number() over (
            partition by source_id, callid, queue_name, visit_number
            order by event_number
        ) as connection_number
    from numbered
    where event = 'CONNECT' and visit_number > 0

),

ends as (

    select
        *,
        row_number() over (
            partition by source_id, callid, queue_name, visit_number
            -- After AGENTDUMP or SYSCOMPAT the caller may go on to another agent: a later end counts.
            order by event in ('AGENTDUMP', 'SYSCOMPAT'), event_number
        ) as end_number
    from numbered
    where event not in ('ENTERQUEUE', 'CONNECT') and visit_number > 0

)

select
    entries.source_id,
    entries.callid,
    entries.queue_name,
    entries.visit_number,
    entries.event_number,
    entries.event_at as entered_at,
    entries.caller_key,
    entries.caller_kind,
    connections.event_at as connected_at,
    connections.agent as agent_account,
    ends.event_at as ended_at,
    ends.event as end_event,
    case
        when connections.event is not null then 'answered'
        when ends.event = 'ABANDON' then 'abandoned'
        when ends.event = 'EXITWITHTIMEOUT' then 'timed_out'
        when ends.event = 'EXITEMPTY' then 'left_empty'
        when ends.event = 'EXITWITHKEY' then 'exit_key'
        when ends.event = 'WITHDRAW' then 'withdrawn'
        when ends.event in ('SYSCOMPAT', 'AGENTDUMP') then 'failed'
        else 'open'
    end as outcome,
    case
        when connections.event is not null then connections.data1
        when ends.event in ('ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY', 'WITHDRAW') then ends.data3
        when ends.event = 'EXITWITHKEY' then ends.data4
    end::bigint as wait_seconds,
    case
        when connections.event is null then null
        when ends.event in ('COMPLETEAGENT', 'COMPLETECALLER') then ends.data2
        when ends.event in ('BLINDTRANSFER', 'TRANSFER') then ends.data4
        when ends.event = 'ATTENDEDTRANSFER' and ends.data1 = 'LINK' then split_part(ends.data5, '|', 1)
        when ends.event = 'ATTENDEDTRANSFER' then ends.data4
    end::bigint as talk_seconds
from entries
left join connections
    on
        entries.source_id = connections.source_id
        and entries.callid = connections.callid
        and entries.queue_name = connections.queue_name
        and entries.visit_number = connections.visit_number
        and connections.connection_number = 1
left join ends
    on
        entries.source_id = ends.source_id
        and entries.callid = ends.callid
        and entries.queue_name = ends.queue_name
        and entries.visit_number = ends.visit_number
        and ends.end_number = 1
