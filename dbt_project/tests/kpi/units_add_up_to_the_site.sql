-- The site pools all rows of a fact: queues, teams and agents never hold more than it, and exactly as much where every
-- row belongs to somebody. What units share (a conversation two agents served) counts for each of them, so there
-- agents hold at least what teams hold, and teams at least what the site holds.
with sums as (

    select
        measure_id,
        channel,
        business_date,
        coalesce(sum(measure_value) filter (where unit_kind = 'site'), 0) as of_site,
        sum(measure_value) filter (where unit_kind = 'team') as of_teams,
        sum(measure_value) filter (where unit_kind = 'agent') as of_agents,
        sum(measure_value) filter (where unit_kind = 'queue') as of_queues,
        min(measure_value) >= 0 as is_positive,
        bool_or(unit_kind = 'site') as has_site
    from {{ ref('measure_day') }}
    group by measure_id, channel, business_date

),

measures as (

    select
        measure_id,
        has_own_site,
        fact,
        fact in ('queue_visit', 'segment', 'agent_state', 'attendance', 'qa_review', 'exam', 'outcome')
            as is_always_credited
    from {{ ref('stg_cfg__measure') }}
    where aggregation = 'sum'

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
inner join measures
    on sums.measure_id = measures.measure_id
where
    sums.has_site
    and (
        (
            not measures.has_own_site
            and sums.is_positive
            -- Critics who name nobody are the site's alone and make its balance smaller than that of the teams.
            and sums.measure_id <> 'recommendation_balance'
            and (sums.of_teams > sums.of_site or sums.of_agents > sums.of_site or sums.of_queues > sums.of_site)
        )
        or (
            measures.is_always_credited
            and (sums.of_teams <> sums.of_site or sums.of_agents <> sums.of_site or sums.of_queues <> sums.of_site)
        )
        or (
            measures.has_own_site
            and sums.of_agents is not null
            -- One late answer by each of two agents is a conversation with several: the site's, and neither of theirs.
            and sums.measure_id <> 'slow_conversations'
            and not (
                -- A rating for a reason that is not the agent's (V6) is the team's alone.
                (sums.of_agents >= sums.of_teams or measures.fact = 'rating') and sums.of_teams >= sums.of_site
            )
        )
    )
