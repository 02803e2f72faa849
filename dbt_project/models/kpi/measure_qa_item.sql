-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_qa_item': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_qa_item') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_valid_for_score and is_first_of_group and item_group = 'etiquette' then 1 end as etiquette_reviews,
        case when is_valid_for_score and is_applicable and item_group = 'etiquette' then weight end as etiquette_weights,
        case when is_valid_for_score and is_applicable and item_group = 'etiquette' then weight * mark_share end as etiquette_marks,
        case when is_valid_for_score and is_first_of_group and item_group = 'solution_depth' then 1 end as solution_depth_reviews,
        case when is_valid_for_score and is_applicable and item_group = 'solution_depth' then weight end as solution_depth_weights,
        case when is_valid_for_score and is_applicable and item_group = 'solution_depth' then weight * mark_share end as solution_depth_marks,
        case when is_valid_for_score and is_first_of_group and item_group = 'professionalism' then 1 end as professionalism_reviews,
        case when is_valid_for_score and is_applicable and item_group = 'professionalism' then weight end as professionalism_weights,
        case when is_valid_for_score and is_applicable and item_group = 'professionalism' then weight * mark_share end as professionalism_marks,
        case when is_valid_for_score and is_first_of_critical and critical_kind = 'compliance' then 1 end as compliance_reviews,
        case when is_valid_for_score and is_first_of_critical and critical_kind = 'compliance' and is_critical_failed then 1 end as compliance_reviews_failed
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
        coalesce(sum(etiquette_reviews), 0)::numeric as etiquette_reviews,
        coalesce(sum(etiquette_weights), 0)::numeric as etiquette_weights,
        coalesce(sum(etiquette_marks), 0)::numeric as etiquette_marks,
        coalesce(sum(solution_depth_reviews), 0)::numeric as solution_depth_reviews,
        coalesce(sum(solution_depth_weights), 0)::numeric as solution_depth_weights,
        coalesce(sum(solution_depth_marks), 0)::numeric as solution_depth_marks,
        coalesce(sum(professionalism_reviews), 0)::numeric as professionalism_reviews,
        coalesce(sum(professionalism_weights), 0)::numeric as professionalism_weights,
        coalesce(sum(professionalism_marks), 0)::numeric as professionalism_marks,
        coalesce(sum(compliance_reviews), 0)::numeric as compliance_reviews,
        coalesce(sum(compliance_reviews_failed), 0)::numeric as compliance_reviews_failed
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
    ('etiquette_reviews', false, pooled.etiquette_reviews),
    ('etiquette_weights', false, pooled.etiquette_weights),
    ('etiquette_marks', false, pooled.etiquette_marks),
    ('solution_depth_reviews', false, pooled.solution_depth_reviews),
    ('solution_depth_weights', false, pooled.solution_depth_weights),
    ('solution_depth_marks', false, pooled.solution_depth_marks),
    ('professionalism_reviews', false, pooled.professionalism_reviews),
    ('professionalism_weights', false, pooled.professionalism_weights),
    ('professionalism_marks', false, pooled.professionalism_marks),
    ('compliance_reviews', false, pooled.compliance_reviews),
    ('compliance_reviews_failed', false, pooled.compliance_reviews_failed)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}