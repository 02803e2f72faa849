-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_qa_review': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_qa_review') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_valid_for_score then 1 end as qa_reviews,
        case when is_valid_for_score then review_score end as qa_review_points,
        case when is_valid_for_score and is_fatal then 1 end as qa_reviews_fatal
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            case when grouping(agent_unit) = 1 and grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(qa_reviews), 0)::numeric as qa_reviews,
        coalesce(sum(qa_review_points), 0)::numeric as qa_review_points,
        coalesce(sum(qa_reviews_fatal), 0)::numeric as qa_reviews_fatal
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
        (team_unit, channel, business_date),
        (channel, business_date)
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
    ('qa_reviews', false, pooled.qa_reviews),
    ('qa_review_points', false, pooled.qa_review_points),
    ('qa_reviews_fatal', false, pooled.qa_reviews_fatal)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}