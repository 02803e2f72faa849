{{ config(indexes=[{'columns': ['ticket_key', 'event_number'], 'unique': true}]) }}

with recorded as (

    select
        *,
        source_id || ':' || ticket_id as ticket_key
    from {{ ref('stg_tabular__ticket_event') }}
    where event_at <= '{{ var("as_of") }}'::timestamptz

),

unrecorded as (

    select *
    from {{ ref('int_ticket') }} as tickets
    where
        not exists (
            select 1
            from recorded
            where tickets.ticket_key = recorded.ticket_key
        )

),

-- A ticket system that hands over its tickets without their history still says when each was opened and closed. Who
-- works on a ticket that was dispatched is not known then, only the team.
derived as (

    select
        unrecorded.ticket_key,
        steps.event_number,
        steps.event_at,
        steps.event_kind,
        steps.agent_key,
        steps.team_key
    from unrecorded
    cross join
        lateral (
            values
            (1, unrecorded.opened_at, 'created', unrecorded.agent_key, null),
            (
                2,
                unrecorded.opened_at,
                case when unrecorded.dispatched_to_team_key is null then 'assigned' else 'moved' end,
                unrecorded.agent_key,
                unrecorded.dispatched_to_team_key
            ),
            (
                3,
                unrecorded.closed_at,
                case when unrecorded.close_code = 'solved' then 'solved' else 'closed' end,
                case when unrecorded.dispatched_to_team_key is null then unrecorded.agent_key end,
                null
            )
        ) as steps (event_number, event_at, event_kind, agent_key, team_key)
    where steps.event_at is not null

)

select
    ticket_key,
    event_number::bigint as event_number,
    event_at,
    event_kind,
    employee_number as agent_key,
    priority,
    team_key,
    event_kind = 'reopened' and coalesce(is_thanks, false) as is_thanks,
    true as is_recorded
from recorded

union all

select
    ticket_key,
    event_number,
    event_at,
    event_kind,
    agent_key,
    null::text as priority,
    team_key,
    false as is_thanks,
    false as is_recorded
from derived
