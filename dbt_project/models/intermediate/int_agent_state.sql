with states as (

    select * from {{ ref('int_asterisk__agent_state') }}

)

select
    source_id,
    agent_account,
    event_number as state_number,
    scope,
    reason,
    started_at,
    ended_at
from states
