with scored as (

    select * from {{ ref('scored_metric') }}

),

weights as (

    select * from {{ ref('effective_weight') }}

),

weighted as (

    select
        scored.*,
        weights.is_adjusted,
        weights.effective_weight
    from scored
    inner join weights
        on
            scored.period_id = weights.period_id
            and scored.plan_id = weights.plan_id
            and scored.agent_key = weights.agent_key
            and scored.metric_id = weights.metric_id

),

own as (

    select
        period_id,
        plan_id,
        cohort_key,
        agent_key,
        is_adjusted,
        sum(effective_weight) as own_weight,
        sum(effective_weight * curve_score) / nullif(sum(effective_weight), 0) as own_score
    from weighted
    group by period_id, plan_id, cohort_key, agent_key, is_adjusted

),

-- Weight that found no metric is neutral: it earns what the middle of the cohort earns.
neutral as (

    select
        period_id,
        plan_id,
        cohort_key,
        is_adjusted,
        round(percentile_cont(0.5) within group (order by own_score)::numeric, 10) as neutral_score
    from own
    where own_score is not null
    group by period_id, plan_id, cohort_key, is_adjusted

),

components as (

    select
        weighted.period_id,
        weighted.plan_id,
        weighted.plan_version,
        weighted.cohort_key,
        weighted.agent_key,
        weighted.team_key,
        weighted.is_adjusted,
        weighted.metric_id,
        weighted.metric_version,
        weighted.nominal_weight,
        weighted.weight_factor,
        weighted.effective_weight,
        weighted.raw_value,
        weighted.n,
        weighted.interval_low,
        weighted.interval_high,
        weighted.shrunk_value,
        weighted.scored_value,
        weighted.curve_id,
        weighted.curve_score,
        weighted.na_reason,
        coalesce(weighted.n, 0) > 0 and weighted.na_reason is null as has_own_data,
        abs(weighted.curve_score_high - weighted.curve_score_low) as curve_score_range,
        case
            when weighted.na_reason = 'below_min_n' then '样本不足，权重已转移'
            when weighted.na_reason is not null then '本期无此项数据，权重已转移'
            when weighted.metric_type = 'subjective' then weighted.reliability_zh
            when weighted.effective_weight > weighted.nominal_weight then '承接了其他指标让出的权重'
            else '权重不变'
        end as reason_zh,
        case
            when weighted.na_reason = 'below_min_n' then 'too few cases, weight moved to other metrics'
            when weighted.na_reason is not null then 'nothing to measure in this period, weight moved'
            when weighted.metric_type = 'subjective' then weighted.reliability_en
            when weighted.effective_weight > weighted.nominal_weight then 'took over weight from other metrics'
            else 'weight as planned'
        end as reason_en
    from weighted

    union all

    select
        own.period_id,
        own.plan_id,
        null::integer as plan_version,
        own.cohort_key,
        own.agent_key,
        null as team_key,
        own.is_adjusted,
        'neutral' as metric_id,
        null::integer as metric_version,
        0 as nominal_weight,
        null::numeric as weight_factor,
        100 - own.own_weight as effective_weight,
        null::numeric as raw_value,
        null::bigint as n,
        null::numeric as interval_low,
        null::numeric as interval_high,
        null::numeric as shrunk_value,
        null::numeric as scored_value,
        null as curve_id,
        neutral.neutral_score as curve_score,
        null as na_reason,
        false as has_own_data,
        null::numeric as curve_score_range,
        '无处可放的权重，按群体中位数计' as reason_zh,
        'weight without a metric, scored at the cohort median' as reason_en
    from own
    left join neutral
        on
            own.period_id = neutral.period_id
            and own.plan_id = neutral.plan_id
            and own.cohort_key = neutral.cohort_key
            and own.is_adjusted = neutral.is_adjusted
    where own.own_weight < 100

),

plans as (

    select
        plan_id,
        plan_version
    from {{ ref('stg_cfg__plan') }}

)

select
    components.period_id::text as period_id,
    components.plan_id::text as plan_id,
    plans.plan_version::integer as plan_version,
    components.cohort_key::text as cohort_key,
    components.agent_key::text as agent_key,
    components.metric_id::text as metric_id,
    components.metric_version::integer as metric_version,
    components.is_adjusted::boolean as is_adjusted,
    components.nominal_weight::numeric as nominal_weight,
    components.weight_factor::numeric as weight_factor,
    components.effective_weight::numeric as effective_weight,
    components.raw_value::numeric as raw_value,
    components.n::bigint as n,
    components.interval_low::numeric as interval_low,
    components.interval_high::numeric as interval_high,
    components.shrunk_value::numeric as shrunk_value,
    components.scored_value::numeric as scored_value,
    components.curve_id::text as curve_id,
    components.curve_score::numeric as curve_score,
    round(components.effective_weight * coalesce(components.curve_score, 0) / 100, 6)::numeric as points,
    components.curve_score_range::numeric as curve_score_range,
    components.has_own_data::boolean as has_own_data,
    components.na_reason::text as na_reason,
    components.reason_zh::text as reason_zh,
    components.reason_en::text as reason_en
from components
inner join plans
    on components.plan_id = plans.plan_id
