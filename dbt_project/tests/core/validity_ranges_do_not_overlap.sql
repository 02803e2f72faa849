-- An account belongs to one person at a time and a person to one team: otherwise joins would credit work twice.
with ranges as (

    select
        'account ' || source_id || ':' || account as subject,
        held_from as valid_from,
        held_until as valid_until,
        lead(held_from) over (partition by source_id, account order by valid_from) as next_valid_from
    from {{ ref('int_identity') }}

    union all

    select
        'agent ' || agent_key as subject,
        valid_from,
        valid_to + 1 as valid_until,
        lead(valid_from) over (partition by agent_key order by valid_from) as next_valid_from
    from {{ ref('int_agent_team') }}

)

select
    subject,
    valid_from,
    valid_until,
    next_valid_from
from ranges
where
    valid_until <= valid_from
    or valid_until > next_valid_from
