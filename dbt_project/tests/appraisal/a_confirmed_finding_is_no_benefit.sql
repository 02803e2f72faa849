-- A metric with a confirmed finding keeps its cohort weight and earns no more than its valid rows, all rows and the
-- middle of the cohort (reliability.md 4.4).
with components as (

    select *
    from {{ ref('score_component') }}
    where is_adjusted and finding = 'confirmed'

),

scored as (

    select * from {{ ref('scored_metric') }}

)

select
    components.plan_id,
    components.agent_key,
    components.metric_id,
    components.curve_score,
    components.effective_weight
from components
inner join scored
    on
        components.plan_id = scored.plan_id
        and components.agent_key = scored.agent_key
        and components.metric_id = scored.metric_id
where
    scored.cohort_median_score is not null
    and (
        not scored.is_kept
        or components.na_reason is not null
        or components.curve_score > scored.cohort_median_score
        or components.curve_score > scored.all_rows_score
        or (scored.n > 0 and components.curve_score > scored.curve_score)
        or components.effective_weight < scored.nominal_weight * scored.cohort_factor - 1e-9
    )
