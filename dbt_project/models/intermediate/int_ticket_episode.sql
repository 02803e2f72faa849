{{ config(indexes=[{'columns': ['ticket_key', 'episode_number'], 'unique': true}]) }}

with history as (

    select
        *,
        min(event_at) over (partition by ticket_key, episode_number) as started_at
    from {{ ref('int_ticket_history') }}

),

stretches as (

    select * from {{ ref('int_ticket_stretch') }}
    where state = 'open' and to_at is not null

),

worked as (

    select
        stretches.ticket_key,
        stretches.episode_number,
        extract(epoch from stretches.to_at - stretches.from_at) as open_seconds,
        case when stretches.owner_key is not null then coalesce(duty.overlap_seconds, 0) end as handle_seconds,
        stretches.owner_key is not null and not duty.is_on_duty as is_outside_roster
    from stretches
    {{ on_duty_seconds('stretches.owner_key', 'stretches.from_at', 'stretches.to_at', 'duty') }}

),

work as (

    select
        ticket_key,
        episode_number,
        sum(open_seconds)::bigint as open_seconds,
        sum(handle_seconds)::bigint as handle_seconds,
        bool_or(is_outside_roster) as is_outside_roster
    from worked
    group by ticket_key, episode_number

),

episodes as (

    select
        ticket_key,
        episode_number,
        bool_and(is_recorded) as is_recorded,
        started_at,
        -- A system that writes a creation as several events of one instant may give the priority in a later one.
        (array_agg(priority order by event_number) filter (where priority is not null and event_at = started_at))[1]
            as start_priority,
        min(event_at) filter (
            where event_kind = 'assigned' and agent_key is not null and state not in ('solved', 'closed')
        ) as first_assigned_at,
        min(event_at) filter (where event_kind = 'public_reply' and state not in ('solved', 'closed'))
            as first_reply_at,
        count(*) filter (where event_kind = 'public_reply' and state not in ('solved', 'closed'))
            as public_reply_count,
        min(event_at) filter (where event_kind in ('solved', 'closed')) as ended_at,
        min(event_at) filter (where event_kind = 'solved') as solved_at,
        (array_agg(coalesce(agent_key, owner_key) order by event_number) filter (where event_kind = 'solved'))[1]
            as solver_key,
        (array_agg(team_key order by event_number) filter (where event_kind = 'solved'))[1] as solved_team_key
    from history
    group by ticket_key, episode_number, started_at

)

select
    episodes.ticket_key,
    episodes.episode_number,
    episodes.is_recorded,
    episodes.started_at,
    episodes.start_priority,
    episodes.first_assigned_at,
    episodes.first_reply_at,
    episodes.public_reply_count,
    episodes.ended_at,
    episodes.solved_at,
    episodes.solver_key,
    episodes.solved_team_key,
    lead(episodes.started_at) over (
        partition by episodes.ticket_key
        order by episodes.episode_number
    ) as reopened_at,
    -- Nothing is a time before the episode has ended, and an end at once took 0 s.
    case when episodes.ended_at is not null then coalesce(work.open_seconds, 0) end as open_seconds,
    case when episodes.ended_at is not null then work.handle_seconds end as handle_seconds,
    coalesce(episodes.ended_at is not null and work.is_outside_roster, false) as is_outside_roster
from episodes
left join work
    on
        episodes.ticket_key = work.ticket_key
        and episodes.episode_number = work.episode_number
