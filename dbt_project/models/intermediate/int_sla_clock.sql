{{ config(indexes=[{'columns': ['ticket_key', 'episode_number', 'clock'], 'unique': true}]) }}

with episodes as (

    select * from {{ ref('int_ticket_episode') }}

),

tickets as (

    select * from {{ ref('int_ticket') }}

),

stretches as (

    select * from {{ ref('int_ticket_stretch') }}
    where state in ('open', 'on_hold', 'closed')

),

targets as (

    select * from {{ ref('stg_cfg__sla_target') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

applied as (

    select
        episodes.ticket_key,
        episodes.episode_number,
        targets.clock,
        targets.priority,
        targets.target_seconds,
        targets.hours,
        episodes.started_at,
        -- Who solves without a written reply has answered.
        case
            when targets.clock = 'first_reply' then least(episodes.first_reply_at, episodes.solved_at)
            else episodes.solved_at
        end as met_at,
        -- To close a ticket unsolved keeps no promise; only a customer who withdraws ends it, or a reopening, which
        -- makes a new one.
        case
            when episodes.solved_at is not null then null
            when tickets.close_code = 'withdrawn' and episodes.reopened_at is null then episodes.ended_at
            else episodes.reopened_at
        end as cancelled_at
    from episodes
    cross join site
    inner join targets
        on
            episodes.start_priority = targets.priority
            and {{ local_date('episodes.started_at', 'site') }} between targets.valid_from and targets.valid_to
    left join tickets
        on episodes.ticket_key = tickets.ticket_key
    where episodes.is_recorded

),

stopped as (

    select
        *,
        coalesce(least(met_at, cancelled_at), '{{ var("as_of") }}'::timestamptz) as stop_at
    from applied

),

-- A reply is awaited from the first instant on; the way to a solution stands still while the customer has to answer.
pieces as (

    select
        ticket_key,
        episode_number,
        clock,
        hours,
        target_seconds,
        started_at as from_at,
        stop_at as to_at
    from stopped
    where clock = 'first_reply'

    union all

    select
        stopped.ticket_key,
        stopped.episode_number,
        stopped.clock,
        stopped.hours,
        stopped.target_seconds,
        stretches.from_at,
        least(stretches.to_at, stopped.stop_at) as to_at
    from stopped
    inner join stretches
        on
            stopped.ticket_key = stretches.ticket_key
            and stopped.episode_number = stretches.episode_number
            and stopped.stop_at >= stretches.from_at
    where stopped.clock = 'resolution'

),

measured as (

    select
        pieces.ticket_key,
        pieces.episode_number,
        pieces.clock,
        pieces.target_seconds,
        pieces.from_at,
        pieces.to_at,
        case
            when pieces.hours = 'business' then opened.business_seconds
            else extract(epoch from pieces.to_at - pieces.from_at)
        end as piece_seconds
    from pieces
    {{ business_seconds("case when pieces.hours = 'business' then pieces.from_at end", 'pieces.to_at', 'opened') }}

),

summed as (

    select
        *,
        sum(piece_seconds) over (
            partition by ticket_key, episode_number, clock
            order by from_at, to_at
            rows between unbounded preceding and current row
        ) as seconds_until
    from measured

),

totals as (

    select
        ticket_key,
        episode_number,
        clock,
        max(seconds_until) as elapsed_seconds
    from summed
    group by ticket_key, episode_number, clock

),

-- The piece in which the promised seconds are used up.
used_up as (

    select
        ticket_key,
        episode_number,
        clock,
        from_at,
        target_seconds - seconds_until + piece_seconds as remaining_seconds
    from (
        select
            *,
            row_number() over (partition by ticket_key, episode_number, clock order by from_at, to_at) as piece_rank
        from summed
        where seconds_until >= target_seconds
    ) as ranked
    where piece_rank = 1

),

-- Where they are not used up, the rest is counted from the last instant looked at, as if nothing paused from there on.
counted as (

    select
        stopped.ticket_key,
        stopped.episode_number,
        stopped.clock,
        stopped.priority,
        stopped.hours,
        stopped.target_seconds,
        stopped.started_at,
        stopped.met_at,
        stopped.cancelled_at,
        coalesce(totals.elapsed_seconds, 0) as elapsed_seconds,
        coalesce(used_up.from_at, stopped.stop_at) as from_at,
        coalesce(used_up.remaining_seconds, stopped.target_seconds - coalesce(totals.elapsed_seconds, 0))
            as remaining_seconds
    from stopped
    left join totals
        on
            stopped.ticket_key = totals.ticket_key
            and stopped.episode_number = totals.episode_number
            and stopped.clock = totals.clock
    left join used_up
        on
            stopped.ticket_key = used_up.ticket_key
            and stopped.episode_number = used_up.episode_number
            and stopped.clock = used_up.clock

),

due as (

    select
        counted.*,
        case
            when counted.hours = 'business' then opened.due_at
            else counted.from_at + make_interval(secs => counted.remaining_seconds::double precision)
        end as due_at
    from counted
    {{ business_due_at(
        "case when counted.hours = 'business' then counted.from_at end", 'counted.remaining_seconds', 'opened'
    ) }}

)

select
    ticket_key,
    episode_number,
    clock,
    priority,
    hours,
    target_seconds,
    started_at,
    met_at,
    cancelled_at,
    due_at,
    elapsed_seconds::bigint as elapsed_seconds,
    case
        when met_at <= due_at then 'met'
        when due_at <= coalesce(least(met_at, cancelled_at), '{{ var("as_of") }}'::timestamptz) then 'breached'
        when cancelled_at is not null then 'cancelled'
        else 'open'
    end as outcome
from due
