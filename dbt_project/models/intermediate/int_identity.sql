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

shifts as (

    select * from {{ ref('int_shift') }}
    where not is_on_leave

),

site as (

    select * from {{ ref('stg_cfg__site') }}

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

),

dated as (

    select
        source_id,
        account,
        employee_number as agent_key,
        valid_from,
        -- People write the first day on which a row no longer holds. A later row ends an earlier one, so rows never
        -- overlap and no join can find two; least() leaves out what is not known.
        least(valid_to - 1, lead(valid_from) over of_account - 1, 'infinity'::date) as valid_to,
        lead(employee_number) over of_account as next_agent_key,
        lead(valid_from) over of_account as next_valid_from
    from latest
    where knowledge_rank = 1
    window of_account as (partition by source_id, account order by valid_from)

),

-- A shift that begins on the last day is worked to its end and its margin, after midnight too; whoever has the account
-- next has it from their own shift on, but not before the former's is over.
held as (

    select
        dated.source_id,
        dated.account,
        dated.agent_key,
        dated.valid_from,
        dated.valid_to,
        {{ local_instant('(dated.valid_from + site.day_cutover)', 'site') }} as first_day_at,
        greatest(
            {{ local_instant('(dated.valid_to + 1 + site.day_cutover)', 'site') }},
            case
                when last_shift.agent_key is not null
                    then least(
                        last_shift.shift_end + site.shift_margin,
                        greatest(
                            last_shift.shift_end, coalesce(next_shift.shift_start, 'infinity') - site.shift_margin
                        )
                    )
            end
        ) as held_until
    from dated
    cross join site
    left join shifts as last_shift
        on dated.agent_key = last_shift.agent_key and dated.valid_to = last_shift.shift_date
    left join shifts as next_shift
        on dated.next_agent_key = next_shift.agent_key and dated.next_valid_from = next_shift.shift_date

)

select
    source_id,
    account,
    agent_key,
    valid_from,
    valid_to,
    greatest(
        first_day_at,
        max(held_until) over (
            partition by source_id, account
            order by valid_from
            rows between unbounded preceding and 1 preceding
        )
    ) as held_from,
    held_until
from held
