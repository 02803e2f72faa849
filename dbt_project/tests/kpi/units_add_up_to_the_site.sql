-- Every row is credited to one team, so teams add up to the site; so do queues and agents where a measure has them.
-- Distinct conversations count for everyone who served them: agents are at least teams there, teams at least the site.
with sums as (

    select
        measure_id,
        channel,
        business_date,
        coalesce(sum(measure_value) filter (where unit_kind = 'site'), 0) as of_site,
        coalesce(sum(measure_value) filter (where unit_kind = 'team'), 0) as of_teams,
        coalesce(sum(measure_value) filter (where unit_kind = 'agent'), 0) as of_agents,
        coalesce(sum(measure_value) filter (where unit_kind = 'queue'), 0) as of_queues
    from {{ ref('measure_day') }}
    group by measure_id, channel, business_date

),

kinds as (

    select
        measure_id,
        bool_or(unit_kind = 'agent') as has_agents,
        bool_or(unit_kind = 'queue') as has_queues,
        measure_id = 'conversations_handled' as is_distinct
    from {{ ref('measure_day') }}
    group by measure_id

)

select
    sums.measure_id,
    sums.channel,
    sums.business_date,
    sums.of_site,
    sums.of_teams,
    sums.of_agents,
    sums.of_queues
from sums
inner join kinds
    on sums.measure_id = kinds.measure_id
where
    (not kinds.is_distinct and sums.of_teams <> sums.of_site)
    or (not kinds.is_distinct and kinds.has_agents and sums.of_agents <> sums.of_site)
    or (kinds.has_queues and sums.of_queues <> sums.of_site)
    or (kinds.is_distinct and not (sums.of_agents >= sums.of_teams and sums.of_teams >= sums.of_site))
