-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_rating_credit': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_rating_credit') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.site_key as site_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when is_valid_for_score and instrument_kind = 'csat' then credit_share end as ratings_valid,
        case when is_valid_for_score and is_top_box and instrument_kind = 'csat' then credit_share end as ratings_top_box,
        case when is_valid_for_score and is_bottom_box and instrument_kind = 'csat' then credit_share end as ratings_bottom_box,
        case when is_valid_for_score and instrument_kind = 'csat' then rating_points * credit_share end as rating_points,
        case when is_valid_for_score and instrument_kind = 'resolved' then credit_share end as solved_answers_valid,
        case when is_valid_for_score and is_top_box and instrument_kind = 'resolved' then credit_share end as solved_answers_top_box,
        case when is_valid_for_score and instrument_kind = 'ces' then credit_share end as effort_answers_valid,
        case when is_valid_for_score and instrument_kind = 'ces' then rating_points * credit_share end as effort_points
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            when grouping(site_unit) = 0 then 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            site_unit
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(ratings_valid), 0)::numeric as ratings_valid,
        coalesce(sum(ratings_top_box), 0)::numeric as ratings_top_box,
        coalesce(sum(ratings_bottom_box), 0)::numeric as ratings_bottom_box,
        coalesce(sum(rating_points), 0)::numeric as rating_points,
        coalesce(sum(solved_answers_valid), 0)::numeric as solved_answers_valid,
        coalesce(sum(solved_answers_top_box), 0)::numeric as solved_answers_top_box,
        coalesce(sum(effort_answers_valid), 0)::numeric as effort_answers_valid,
        coalesce(sum(effort_points), 0)::numeric as effort_points
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
        (team_unit, channel, business_date),
        (site_unit, channel, business_date)
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
    ('ratings_valid', false, pooled.ratings_valid),
    ('ratings_top_box', false, pooled.ratings_top_box),
    ('ratings_bottom_box', false, pooled.ratings_bottom_box),
    ('rating_points', false, pooled.rating_points),
    ('solved_answers_valid', false, pooled.solved_answers_valid),
    ('solved_answers_top_box', false, pooled.solved_answers_top_box),
    ('effort_answers_valid', false, pooled.effort_answers_valid),
    ('effort_points', false, pooled.effort_points)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}