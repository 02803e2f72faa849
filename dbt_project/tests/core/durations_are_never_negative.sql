-- No duration of any fact is below 0 (DESIGN 4.5).
with durations as (

    select
        segment_key as row_key,
        least(talk_seconds, active_seconds, assignment_response_seconds, accept_delay_seconds) as seconds
    from {{ ref('fct_segment') }}

    union all

    select
        conversation_key as row_key,
        first_response_seconds as seconds
    from {{ ref('fct_conversation') }}

    union all

    select
        queue_visit_key as row_key,
        wait_seconds as seconds
    from {{ ref('fct_queue_visit') }}

    union all

    select
        turn_key as row_key,
        response_seconds as seconds
    from {{ ref('fct_turn') }}

    union all

    select
        state_key as row_key,
        least(state_seconds, capped_seconds) as seconds
    from {{ ref('fct_agent_state') }}

    union all

    select
        agent_key || '/' || business_date as row_key,
        least(required_seconds, attended_seconds) as seconds
    from {{ ref('fct_attendance') }}

)

select
    row_key,
    seconds
from durations
where seconds < 0
