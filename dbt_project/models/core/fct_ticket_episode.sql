{{ config(indexes=[{'columns': ['ticket_key', 'episode_number'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with episodes as (

    select * from {{ ref('int_ticket_episode') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        episodes.*,
        {{ local_date('episodes.solved_at', 'site') }} as business_date
    from episodes
    cross join site

)

select
    dated.ticket_key,
    dated.episode_number,
    dated.is_recorded,
    dated.started_at,
    dated.first_assigned_at,
    dated.first_reply_at,
    dated.public_reply_count,
    dated.ended_at,
    dated.solved_at,
    dated.solver_key as agent_key,
    case
        when dated.solved_at is not null then coalesce(
            teams.team_key, case when dated.solver_key is null then dated.solved_team_key end, 'unassigned'
        )
    end as team_key,
    dated.reopened_at,
    case
        when dated.solved_at is not null then extract(epoch from dated.reopened_at - dated.solved_at)::bigint
    end as reopened_after_seconds,
    extract(epoch from '{{ var("as_of") }}'::timestamptz - dated.solved_at)::bigint as observed_seconds,
    dated.open_seconds,
    dated.handle_seconds,
    dated.is_outside_roster,
    dated.business_date
from dated
left join teams
    on
        dated.solver_key = teams.agent_key
        and dated.business_date between teams.valid_from and teams.valid_to
