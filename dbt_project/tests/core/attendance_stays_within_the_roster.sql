-- A counted day has both sides of the rate, attended at most required; a day that does not count says why.
select
    agent_key,
    business_date,
    required_seconds,
    attended_seconds
from {{ ref('fct_attendance') }}
where
    required_seconds <= 0
    or attended_seconds > required_seconds
    or (attended_seconds is null) <> is_contradicted
    or is_counted <> (not is_on_leave and not is_contradicted)
