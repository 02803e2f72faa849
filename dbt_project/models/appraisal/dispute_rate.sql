{{ config(indexes=[{'columns': ['period_id', 'team_key'], 'unique': true}]) }}

with disputes as (

    select
        dispute_id,
        period_id,
        agent_key
    from {{ source('payroll', 'dispute_status') }}

),

outcomes as (

    select * from {{ ref('dispute_outcome') }}

),

closed_scores as (

    select
        period_id,
        agent_key,
        team_key
    from {{ source('payroll', 'closed_score') }}

),

scores as (

    select
        period_id,
        agent_key,
        team_key
    from {{ ref('score') }}

),

-- What a close has locked is no longer what is calculated today.
shown as (

    select * from closed_scores
    union all
    select scores.*
    from scores
    where scores.period_id not in (select closed_scores.period_id from closed_scores)

),

people as (

    select
        shown.period_id,
        shown.agent_key,
        coalesce(shown.team_key, 'unassigned') as team_key,
        count(disputes.dispute_id) as disputes,
        count(outcomes.dispute_id) as decided,
        count(outcomes.dispute_id) filter (where outcomes.is_overturned) as overturned
    from shown
    left join disputes
        on shown.period_id = disputes.period_id and shown.agent_key = disputes.agent_key
    left join outcomes
        on disputes.dispute_id = outcomes.dispute_id
    group by shown.period_id, shown.agent_key, coalesce(shown.team_key, 'unassigned')

)

select
    period_id,
    team_key,
    count(*) as scores,
    count(*) filter (where disputes > 0) as disputed,
    trim_scale(round(count(*) filter (where disputes > 0) / count(*)::numeric, 6)) as dispute_share,
    sum(disputes)::bigint as disputes,
    sum(decided)::bigint as decided,
    sum(overturned)::bigint as overturned,
    trim_scale(round(sum(overturned) / nullif(sum(decided), 0), 6)) as overturn_share
from people
group by period_id, team_key
