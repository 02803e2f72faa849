{{ config(indexes=[{'columns': ['ticket_key'], 'unique': true}, {'columns': ['conversation_key']}]) }}
{{ moves(dates=['business_date', 'entered_date', 'waiting_date']) }}

with tickets as (

    select * from {{ ref('int_ticket') }}

),

history as (

    select * from {{ ref('int_ticket_history') }}

),

episodes as (

    select * from {{ ref('fct_ticket_episode') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

latest as (

    select
        ticket_key,
        state,
        owner_key,
        team_key,
        priority
    from (
        select
            *,
            row_number() over (partition by ticket_key order by event_number desc) as event_rank
        from history
    ) as events
    where event_rank = 1

),

solves as (

    select
        ticket_key,
        solved_at,
        agent_key,
        team_key,
        business_date
    from (
        select
            *,
            row_number() over (partition by ticket_key order by episode_number desc) as episode_rank
        from episodes
    ) as ranked
    where episode_rank = 1 and solved_at is not null

),

totals as (

    select
        ticket_key,
        count(*) as episode_count,
        bool_and(is_recorded) as is_recorded,
        min(started_at) as created_at,
        min(first_assigned_at) as first_assigned_at,
        sum(public_reply_count)::bigint as public_reply_count,
        sum(open_seconds)::bigint as open_seconds,
        sum(handle_seconds)::bigint as handle_seconds,
        bool_or(is_outside_roster) as is_outside_roster
    from episodes
    group by ticket_key

),

replies as (

    select
        ticket_key,
        max(event_number) as last_reply_number
    from history
    where event_kind = 'public_reply'
    group by ticket_key

),

waiting as (

    select
        history.ticket_key,
        max(history.event_at) as waiting_since_at
    from history
    inner join latest
        on history.ticket_key = latest.ticket_key
    left join replies
        on history.ticket_key = replies.ticket_key
    where
        latest.state = 'open'
        and history.event_kind = 'customer_update'
        and history.event_number > coalesce(replies.last_reply_number, 0)
    group by history.ticket_key

),

combined as (

    select
        totals.ticket_key,
        split_part(totals.ticket_key, ':', 1) as source_id,
        totals.is_recorded,
        tickets.conversation_key,
        tickets.customer_key,
        tickets.issue_class,
        latest.state,
        latest.priority,
        latest.owner_key,
        latest.team_key as ticket_team_key,
        totals.created_at,
        totals.first_assigned_at,
        solves.solved_at,
        solves.agent_key as solver_key,
        solves.team_key as solver_team_key,
        solves.business_date as solved_date,
        totals.episode_count,
        case when totals.is_recorded and solves.solved_at is not null then totals.public_reply_count end
            as public_reply_count,
        case when solves.solved_at is not null then totals.open_seconds end as open_seconds,
        case
            when solves.solved_at is not null and totals.first_assigned_at is not null
                then coalesce(totals.handle_seconds, 0)
        end as handle_seconds,
        solves.solved_at is not null and totals.is_outside_roster as is_outside_roster,
        waiting.waiting_since_at,
        tickets.agent_key as entered_by_key,
        tickets.dispatched_to_team_key,
        tickets.redispatch_count,
        tickets.close_code,
        {{ local_date('tickets.opened_at', 'site') }} as entered_date,
        {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as as_of_date
    from totals
    cross join site
    inner join latest
        on totals.ticket_key = latest.ticket_key
    left join tickets
        on totals.ticket_key = tickets.ticket_key
    left join solves
        on totals.ticket_key = solves.ticket_key
    left join waiting
        on totals.ticket_key = waiting.ticket_key

)

select
    combined.ticket_key,
    combined.source_id,
    combined.is_recorded,
    combined.conversation_key,
    combined.customer_key,
    combined.issue_class,
    combined.state,
    combined.priority,
    combined.close_code,
    combined.created_at,
    combined.first_assigned_at,
    combined.episode_count,
    -- The final solution: whose it is, and what it took.
    combined.solved_at is not null as is_solved,
    combined.solved_at,
    combined.solver_key as agent_key,
    combined.solver_team_key as team_key,
    combined.open_seconds as resolution_seconds,
    combined.handle_seconds,
    combined.is_outside_roster,
    combined.public_reply_count,
    combined.public_reply_count = 1 as is_one_touch,
    combined.solved_date as business_date,
    -- Who owns it now, and how long its customer has been waiting.
    combined.owner_key,
    case
        when combined.owner_key is null then coalesce(combined.ticket_team_key, 'unassigned')
        else coalesce(owners.team_key, 'unassigned')
    end as owner_team_key,
    combined.waiting_since_at,
    opened.business_seconds::bigint as waiting_seconds,
    case when combined.waiting_since_at is not null then combined.as_of_date end as waiting_date,
    -- Who entered and dispatched it.
    combined.entered_by_key,
    case when combined.entered_by_key is not null then coalesce(enterers.team_key, 'unassigned') end
        as entered_by_team_key,
    combined.dispatched_to_team_key,
    combined.redispatch_count,
    combined.entered_date
from combined
left join teams as owners
    on
        combined.owner_key = owners.agent_key
        and combined.as_of_date between owners.valid_from and owners.valid_to
left join teams as enterers
    on
        combined.entered_by_key = enterers.agent_key
        and combined.entered_date between enterers.valid_from and enterers.valid_to
{{ business_seconds(
    'combined.waiting_since_at', "'" ~ var("as_of") ~ "'::timestamptz", 'opened'
) }}
