with events as (

    select
        source_id,
        date_trunc('second', event_at) as event_at,
        queue_name,
        agent,
        event,
        row_number() over (partition by source_id order by event_at, second_ordinal) as event_number
    from {{ ref('stg_asterisk__queue_log') }}
    where event in ('ADDMEMBER', 'REMOVEMEMBER', 'PAUSE', 'PAUSEALL', 'CONNECT')

),

compared as (

    select
        *,
        lag(event) over of_queue as event_before,
        lead(event_at) over of_queue as next_at
    from events
    where event in ('ADDMEMBER', 'REMOVEMEMBER')
    window of_queue as (partition by source_id, agent, queue_name order by event_number)

),

-- How many queues somebody is in after each event; adding or removing twice changes nothing.
followed as (

    select
        events.source_id,
        events.agent,
        events.event,
        events.event_at,
        events.event_number,
        sum(
            case
                when compared.event = 'ADDMEMBER' and compared.event_before is distinct from 'ADDMEMBER' then 1
                when compared.event = 'REMOVEMEMBER' and compared.event_before = 'ADDMEMBER' then -1
                else 0
            end
        ) over of_agent as queues_in,
        count(compared.event) over of_agent as memberships_before,
        min(compared.event_at) over (
            partition by events.source_id, events.agent
            order by events.event_number desc
            rows between unbounded preceding and 1 preceding
        ) as next_membership_at
    from events
    left join compared
        on events.source_id = compared.source_id and events.event_number = compared.event_number
    window of_agent as (partition by events.source_id, events.agent order by events.event_number)

),

-- Who pauses or answers without having been added works all the same: the log has a gap, begins later, or never says,
-- as of members that stand in the exchange's own files. The first thing they do is then the sign-in.
unseen as (

    select
        source_id,
        agent,
        min(event_number) as event_number,
        min(event_at) as signed_in_at,
        min(next_membership_at) as signed_out_at
    from followed
    where queues_in = 0 and event in ('PAUSE', 'PAUSEALL', 'CONNECT')
    group by source_id, agent, memberships_before

)

select
    source_id,
    agent as agent_account,
    event_number,
    queue_name,
    event_at as signed_in_at,
    next_at as signed_out_at
from compared
where event = 'ADDMEMBER'

union all

select
    source_id,
    agent as agent_account,
    event_number,
    '?' as queue_name,
    signed_in_at,
    signed_out_at
from unseen
