with plan_metrics as (

    select
        plan_metrics.plan_id,
        plan_metrics.plan_version,
        plan_metrics.metric_id,
        plan_metrics.initial_g
    from {{ ref('stg_cfg__plan_metric') }} as plan_metrics
    inner join {{ ref('stg_cfg__metric') }} as metrics
        on plan_metrics.metric_id = metrics.metric_id
    where metrics.metric_type = 'subjective'

),

cohorts as (

    select
        plan_id,
        plan_version,
        cohort_key,
        period_id,
        count(*) as cohort_agents
    from {{ ref('int_plan_agent') }}
    group by plan_id, plan_version, cohort_key, period_id

),

defaults as (

    select
        (body #>> '{g, zero_below}')::numeric as zero_below,
        (body #>> '{g, full_from}')::numeric as full_from,
        (body #>> '{cohort, min_agents}')::integer as min_agents
    from ({{ current_config('defaults') }}) as current_defaults

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

estimates as (

    select *
    from {{ source('stats', 'cohort_reliability') }}
    where calc_id = '{{ var("calc_id") }}'

),

fitness as (

    select
        metric_id,
        bool_and(success is true or severity = 'info') as is_fit,
        case
            when count(success) > 0
                then
                    string_agg(reason_zh, '；' order by expectation_id)
                    filter (where success is not true and severity <> 'info')
        end as failed_zh,
        case
            when count(success) > 0
                then
                    string_agg(reason_en, '; ' order by expectation_id)
                    filter (where success is not true and severity <> 'info')
        end as failed_en
    from {{ ref('check_result') }}
    where duty = 'fitness'
    group by metric_id

),

overrides as (

    select
        metric_id,
        cohort_key,
        period_id,
        weight_factor,
        reason,
        row_number() over (
            partition by metric_id, cohort_key, period_id
            order by override_id desc
        ) as override_rank
    from {{ source('ops', 'reliability_override') }}

),

stated as (

    select
        cohorts.period_id,
        plan_metrics.plan_id,
        plan_metrics.plan_version,
        plan_metrics.metric_id,
        cohorts.cohort_key,
        estimates.n,
        estimates.f_resp,
        estimates.f_bias,
        estimates.f_agree,
        estimates.f_clean,
        estimates.f_cover,
        estimates.rho,
        estimates.binding_component,
        plan_metrics.initial_g,
        fitness.failed_zh,
        fitness.failed_en,
        -- The order is fixed: a check that was not made or failed comes before any number (DESIGN 4.8).
        case
            when fitness.is_fit is not true then 'not_evaluated'
            when coalesce(estimates.n, 0) < metrics.min_n or cohorts.cohort_agents < defaults.min_agents
                then 'not_enough_data'
            when estimates.rho is null then 'not_evaluated'
            when estimates.rho >= defaults.full_from then 'reliable'
            when estimates.rho >= defaults.zero_below then 'weak'
            else 'unreliable'
        end as state
    from plan_metrics
    inner join cohorts
        on plan_metrics.plan_id = cohorts.plan_id and plan_metrics.plan_version = cohorts.plan_version
    inner join metrics
        on plan_metrics.metric_id = metrics.metric_id
    cross join defaults
    left join estimates
        on
            plan_metrics.metric_id = estimates.metric_id
            and cohorts.cohort_key = estimates.cohort_key
            and cohorts.period_id = estimates.period_id
    left join fitness
        on plan_metrics.metric_id = fitness.metric_id

)

select
    stated.period_id::text as period_id,
    stated.plan_id::text as plan_id,
    stated.plan_version::integer as plan_version,
    stated.metric_id::text as metric_id,
    stated.cohort_key::text as cohort_key,
    stated.state::text as state,
    stated.n::bigint as n,
    stated.f_resp::numeric as f_resp,
    stated.f_bias::numeric as f_bias,
    stated.f_agree::numeric as f_agree,
    stated.f_clean::numeric as f_clean,
    stated.f_cover::numeric as f_cover,
    stated.rho::numeric as rho,
    stated.binding_component::text as binding_component,
    coalesce(
        overrides.weight_factor,
        case stated.state
            when 'reliable' then 1
            when 'weak' then stated.rho
            when 'unreliable' then 0
            when 'not_enough_data' then stated.initial_g
        end
    )::numeric as weight_factor,
    (overrides.weight_factor is not null)::boolean as is_overridden,
    case
        when overrides.weight_factor is not null then '人工决定：' || overrides.reason
        when stated.state = 'not_evaluated' then '未评估：' || coalesce(stated.failed_zh, '没有运行质量检查')
        when stated.state = 'not_enough_data' then '数据不足，使用方案的起始信任系数 ' || stated.initial_g
        when stated.state = 'reliable' then '可信，权重不变'
        else '可信度 ' || round(stated.rho, 2) || '，受限于 ' || stated.binding_component
    end::text as reason_zh,
    case
        when overrides.weight_factor is not null then 'decided by a person: ' || overrides.reason
        when stated.state = 'not_evaluated' then 'not evaluated: ' || coalesce(stated.failed_en, 'no check was run')
        when stated.state = 'not_enough_data' then 'not enough data, the plan''s opening factor ' || stated.initial_g
        when stated.state = 'reliable' then 'trusted, full weight'
        else 'reliability ' || round(stated.rho, 2) || ', limited by ' || stated.binding_component
    end::text as reason_en
from stated
left join overrides
    on
        stated.metric_id = overrides.metric_id
        and stated.cohort_key = overrides.cohort_key
        and stated.period_id = overrides.period_id
        and overrides.override_rank = 1
