{{ moves(dates=['business_date']) }}

with days as (

    select * from {{ ref('stg_tabular__contact_block_day') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

-- A day counts once, however many sheets say so.
merged as (

    select
        employee_number as agent_key,
        block_date,
        max(blocks) as blocks,
        max(rejections) as rejections
    from days
    group by employee_number, block_date

)

select
    merged.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    merged.blocks,
    merged.rejections,
    merged.block_date as business_date
from merged
left join teams
    on
        merged.agent_key = teams.agent_key
        and merged.block_date between teams.valid_from and teams.valid_to
