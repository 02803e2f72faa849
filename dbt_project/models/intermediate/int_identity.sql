{{ moves(marks={'identity': "source_id || ':' || account"}, days=['valid_from', 'valid_to']) }}

with identities as (

    select
        source_id,
        account,
        employee_number,
        valid_from,
        valid_to,
        known_from
    from {{ ref('stg_tabular__identity') }}

),

latest as (

    -- The live line uses the latest knowledge: of two statements for one start, the one known last counts.
    select
        source_id,
        account,
        employee_number,
        valid_from,
        valid_to,
        row_number() over (
            partition by source_id, account, valid_from
            order by known_from desc, employee_number asc
        ) as knowledge_rank
    from identities

)

select
    source_id,
    account,
    employee_number as agent_key,
    valid_from,
    -- People write the first day on which a row no longer holds. A later row ends an earlier one, so rows never
    -- overlap and no join can find two; least() leaves out what is not known.
    least(
        valid_to - 1,
        lead(valid_from) over (partition by source_id, account order by valid_from) - 1,
        'infinity'::date
    ) as valid_to
from latest
where knowledge_rank = 1
