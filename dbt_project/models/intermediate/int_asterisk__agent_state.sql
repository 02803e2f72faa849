with events as (

    select
        source_id,
        event_at,
        queue_name,
        agent,
        event,
        data1 as reason,
        row_number() over (partition by source_id order by event_at, second_ordinal) as event_number
    from {{ ref('stg_asterisk__queue_log') }}
    where event in ('PAUSE', 'PAUSEALL', 'UNPAUSE', 'UNPAUSEALL', 'ADDMEMBER', 'REMOVEMEMBER')

),

memberships as (

    select
        *,
        sum(case event when 'ADDMEMBER' then 1 when 'REMOVEMEMBER' then -1 else 0 end) over (
            partition by source_id, agent
            order by event_number
        ) as queues_left
    from events

),

-- A pause of all queues is written once for all and once for each queue: the echoes of the same second are dropped.
own as (

    select
        source_id,
        agent,
        event_at,
        event_number,
        reason,
        case
            when event in ('PAUSE', 'UNPAUSE') then queue_name
            else 'all'
        end as scope,
        event in ('PAUSE', 'PAUSEALL') as is_start
    from memberships
    where
        not (
            event in ('PAUSE', 'UNPAUSE')
            and exists (
                select 1
                from events as whole
                where
                    memberships.source_id = whole.source_id
                    and memberships.agent = whole.agent
                    and whole.event = memberships.event || 'ALL'
                    and date_trunc('second', memberships.event_at) = date_trunc('second', whole.event_at)
            )
        )
        and not (event = 'REMOVEMEMBER' and queues_left > 0)
        and event <> 'ADDMEMBER'

),

followed as (

    select
        *,
        lead(event_at) over (partition by source_id, agent, scope order by event_number) as next_in_scope_at,
        min(event_at) filter (where scope = 'all') over (
            partition by source_id, agent
            order by event_number desc
            rows between unbounded preceding and 1 preceding
        ) as next_of_all_at
    from own

)

select
    source_id,
    agent as agent_account,
    event_number,
    scope,
    reason,
    event_at as started_at,
    least(next_in_scope_at, next_of_all_at) as ended_at
from followed
where is_start
