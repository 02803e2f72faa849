with states as (

    select * from {{ ref('int_asterisk__agent_state') }}

),

visits as (

    select * from {{ ref('int_asterisk__queue_visit') }}
    where outcome = 'answered'

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

calls as (

    select
        source_id,
        agent_account,
        connected_at,
        ended_at,
        talk_seconds,
        lead(connected_at, 1, 'infinity') over (
            partition by source_id, agent_account
            order by connected_at, event_number
        ) as next_connected_at
    from visits

),

-- Few calls have no length that can be believed. Wrap-up is begun during its call or after it: it is that of the last
-- call that began.
untimed_calls as (

    select
        calls.source_id,
        calls.agent_account,
        calls.connected_at,
        calls.next_connected_at,
        case when calls.ended_at is null then 'never_ended' else 'too_long' end as untimed_call
    from calls
    cross join site
    inner join parameters
        on {{ local_date('calls.connected_at', 'site') }} between parameters.valid_from and parameters.valid_to
    where (calls.talk_seconds <= parameters.longest_talk_seconds) is not true

)

select
    states.source_id,
    states.agent_account,
    states.event_number as state_number,
    states.scope,
    states.reason,
    states.started_at,
    states.ended_at,
    untimed_calls.untimed_call
from states
left join untimed_calls
    on
        states.source_id = untimed_calls.source_id
        and states.agent_account = untimed_calls.agent_account
        and states.started_at >= untimed_calls.connected_at
        and states.started_at < untimed_calls.next_connected_at
