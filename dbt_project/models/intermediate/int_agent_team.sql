{{ moves(marks={'team': 'agent_key'}, days=['valid_from', 'valid_to']) }}

with assignments as (

    select
        employee_number,
        team_key,
        valid_from,
        valid_to,
        row_number() over (
            partition by employee_number, valid_from
            order by known_from desc, team_key asc
        ) as knowledge_rank
    from {{ ref('stg_tabular__team_assignment') }}

)

select
    employee_number as agent_key,
    team_key,
    valid_from,
    -- People write the first day on which a row no longer holds. A later row ends an earlier one, so rows never
    -- overlap and no join can find two; least() leaves out what is not known.
    least(
        valid_to - 1,
        lead(valid_from) over (partition by employee_number order by valid_from) - 1,
        'infinity'::date
    ) as valid_to
from assignments
where knowledge_rank = 1
