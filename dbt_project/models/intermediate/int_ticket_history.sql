{{ config(indexes=[{'columns': ['ticket_key', 'event_number'], 'unique': true}]) }}

with events as (

    select * from {{ ref('int_ticket_event') }}

),

counted as (

    select
        ticket_key,
        event_number,
        -- The clocks of two servers may differ; a ticket's history never goes back in time.
        max(event_at) over (partition by ticket_key order by event_number) as event_at,
        event_kind,
        agent_key,
        priority,
        team_key,
        is_thanks,
        is_recorded,
        event_kind = 'reopened' and not is_thanks as is_reopened,
        count(*) filter (where event_kind in ('solved', 'closed')) over (
            partition by ticket_key
            order by event_number
        ) as end_count,
        count(*) filter (where event_kind in ('assigned', 'moved')) over (
            partition by ticket_key
            order by event_number
        ) as owner_run,
        count(priority) over (partition by ticket_key order by event_number) as priority_run,
        count(team_key) over (partition by ticket_key order by event_number) as team_run
    from events

),

-- Only a ticket that had come to an end can be reopened; a second reopening of an open ticket changes nothing.
reopened as (

    select
        *,
        is_reopened and end_count > lag(end_count, 1, 0::bigint) over (
            partition by ticket_key, is_reopened
            order by event_number
        ) as begins_episode
    from counted

),

episodes as (

    select
        *,
        1 + count(*) filter (where begins_episode) over (
            partition by ticket_key
            order by event_number
        ) as episode_number
    from reopened

),

ended as (

    select
        *,
        bool_or(event_kind = 'solved') over episode_so_far as has_solved,
        bool_or(event_kind = 'closed') over episode_so_far as has_closed,
        count(*) filter (where event_kind in ('created', 'open', 'pending', 'on_hold') or is_reopened)
            over episode_so_far as state_run
    from episodes
    window episode_so_far as (partition by ticket_key, episode_number order by event_number)

),

stated as (

    select
        *,
        first_value(event_kind) over state_so_far as state_event,
        bool_or(event_kind = 'customer_update') over state_so_far as has_update
    from ended
    window state_so_far as (partition by ticket_key, episode_number, state_run order by event_number)

)

select
    ticket_key,
    event_number,
    event_at,
    event_kind,
    agent_key,
    is_thanks,
    is_recorded,
    episode_number,
    case
        when has_solved then 'solved'
        when has_closed then 'closed'
        -- The customer's answer ends the waiting for it; what is on hold waits for somebody else.
        when state_event = 'pending' and not has_update then 'pending'
        when state_event = 'on_hold' then 'on_hold'
        else 'open'
    end as state,
    first_value(case when event_kind = 'assigned' then agent_key end) over (
        partition by ticket_key, owner_run
        order by event_number
    ) as owner_key,
    max(team_key) over (partition by ticket_key, team_run) as team_key,
    max(priority) over (partition by ticket_key, priority_run) as priority
from stated
