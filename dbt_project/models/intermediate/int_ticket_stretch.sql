{{ config(indexes=[{'columns': ['ticket_key', 'stretch_number'], 'unique': true}]) }}

with history as (

    select
        *,
        lead(event_at) over (partition by ticket_key order by event_number) as next_at,
        concat_ws('/', state, episode_number, coalesce(owner_key, '?'), coalesce(team_key, '?')) as situation
    from {{ ref('int_ticket_history') }}

),

changed as (

    select
        *,
        coalesce(
            situation <> lag(situation) over (partition by ticket_key order by event_number), true
        ) as is_new
    from history

),

numbered as (

    select
        *,
        count(*) filter (where is_new) over (partition by ticket_key order by event_number) as stretch_number
    from changed

)

select
    ticket_key,
    stretch_number,
    episode_number,
    state,
    owner_key,
    team_key,
    min(event_at) as from_at,
    case when bool_and(next_at is not null) then max(next_at) end as to_at
from numbered
group by ticket_key, stretch_number, episode_number, state, owner_key, team_key
