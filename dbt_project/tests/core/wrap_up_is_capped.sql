-- A wrap-up state counts at most the site's cap of its day and says so; every other state counts in full.
with states as (

    select * from {{ ref('fct_agent_state') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

)

select
    states.state_key,
    states.state,
    states.state_seconds,
    states.capped_seconds
from states
cross join site
{{ limits_of('states.started_at', 'site') }}
where
    (states.ended_at is null) <> (states.capped_seconds is null)
    or (states.state = 'acw' and states.capped_seconds > limits.acw_cap_seconds)
    or (states.state <> 'acw' and states.capped_seconds <> states.state_seconds)
    or states.is_capped <> coalesce(states.capped_seconds < states.state_seconds, false)
