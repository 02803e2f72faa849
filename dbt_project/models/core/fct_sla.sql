{{ config(indexes=[{'columns': ['ticket_key', 'episode_number', 'clock'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with clocks as (

    select
        *,
        case outcome when 'met' then met_at when 'breached' then due_at end as decided_at
    from {{ ref('int_sla_clock') }}

),

stretches as (

    select * from {{ ref('int_ticket_stretch') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

owned as (

    select
        clocks.*,
        stretches.owner_key,
        stretches.team_key as ticket_team_key,
        case when clocks.decided_at is not null then {{ local_date('clocks.due_at', 'site') }} end as business_date
    from clocks
    cross join site
    left join stretches
        on
            clocks.ticket_key = stretches.ticket_key
            and clocks.decided_at >= stretches.from_at
            and clocks.decided_at < coalesce(stretches.to_at, 'infinity'::timestamptz)

)

select
    owned.ticket_key,
    owned.episode_number,
    owned.clock,
    owned.priority,
    owned.hours,
    owned.target_seconds,
    owned.started_at,
    owned.met_at,
    owned.cancelled_at,
    owned.due_at,
    owned.elapsed_seconds,
    owned.outcome,
    owned.owner_key as agent_key,
    case
        when owned.decided_at is not null then coalesce(
            teams.team_key, case when owned.owner_key is null then owned.ticket_team_key end, 'unassigned'
        )
    end as team_key,
    owned.business_date
from owned
left join teams
    on
        owned.owner_key = teams.agent_key
        and owned.business_date between teams.valid_from and teams.valid_to
