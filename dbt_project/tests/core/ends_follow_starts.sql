-- Nothing ends before it starts; a shift is at most a day long.
with spans as (

    select
        segment_key as row_key,
        assigned_at as started_at,
        ended_at
    from {{ ref('fct_segment') }}

    union all

    select
        conversation_key as row_key,
        started_at,
        ended_at
    from {{ ref('fct_conversation') }}

    union all

    select
        state_key as row_key,
        started_at,
        ended_at
    from {{ ref('fct_agent_state') }}

    union all

    select
        turn_key as row_key,
        clock_start_at as started_at,
        -- An agent who writes before the clock starts answered at once.
        greatest(replied_at, clock_start_at) as ended_at
    from {{ ref('fct_turn') }}

    union all

    select
        agent_key || '/' || shift_date as row_key,
        shift_start as started_at,
        case when shift_end <= shift_start + interval '1 day' then shift_end end as ended_at
    from {{ ref('int_shift') }}

)

select
    row_key,
    started_at,
    ended_at
from spans
where ended_at < started_at
