with plan_metrics as (

    select
        plan_metrics.plan_id,
        plan_metrics.plan_version,
        plan_metrics.metric_id,
        plan_metrics.initial_g,
        metrics.min_n
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
        {{ lasting_key('cohort_key') }} as lasting_key,
        count(*) as cohort_agents
    from {{ ref('int_plan_agent') }}
    group by plan_id, plan_version, cohort_key, period_id

),

defaults as (

    select
        (body #>> '{g, zero_below}')::numeric as zero_below,
        (body #>> '{g, full_from}')::numeric as full_from,
        (body #>> '{g, up_after_periods}')::integer as up_after_periods,
        body #>> '{g, timing}' as g_timing,
        (body #>> '{cohort, min_agents}')::integer as min_agents
    from ({{ current_config('defaults') }}) as current_defaults

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

-- What earlier closes found and announced, the latest first; a new version of a plan goes on from the old one's trust.
closes as (

    select
        closed.plan_id,
        closed.metric_id,
        {{ lasting_key('closed.cohort_key') }} as lasting_key,
        closed.g_next,
        case when closed.state in ('reliable', 'weak', 'unreliable') then closed.rho end as rho,
        row_number() over (
            partition by closed.plan_id, closed.metric_id, {{ lasting_key('closed.cohort_key') }}
            order by periods.period_end desc, closed.period_id desc
        ) as close_rank
    from {{ source('payroll', 'closed_reliability') }} as closed
    inner join {{ source('payroll', 'closed_period') }} as periods
        on closed.period_id = periods.period_id
    inner join {{ ref('stg_cfg__period') }} as current_period
        on periods.period_mode = current_period.period_mode and periods.period_end < current_period.period_start

),

announcements as (

    select
        closes.plan_id,
        closes.metric_id,
        closes.lasting_key,
        (array_agg(closes.g_next order by closes.close_rank) filter (where closes.g_next is not null))[1] as g_next,
        count(closes.rho) filter (where closes.close_rank < defaults.up_after_periods) as measured_closes,
        min(closes.rho) filter (where closes.close_rank < defaults.up_after_periods) as lowest_rho
    from closes
    cross join defaults
    group by closes.plan_id, closes.metric_id, closes.lasting_key

),

waivers as (

    select
        waivers.metric_id,
        waivers.cohort_key,
        waivers.period_id,
        waivers.weight_factor,
        waivers.reason,
        row_number() over (
            partition by waivers.metric_id, waivers.cohort_key, waivers.period_id
            order by waivers.waiver_id desc
        ) as waiver_rank
    from {{ source('ops', 'reliability_waiver') }} as waivers
    inner join {{ source('ops', 'reliability_waiver_approval') }} as approvals
        on waivers.waiver_id = approvals.waiver_id

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
        cohorts.lasting_key,
        estimates.borrowed_from,
        estimates.n,
        coalesce(estimates.agents, cohorts.cohort_agents) as agents,
        estimates.f_resp,
        estimates.f_bias,
        estimates.f_agree,
        estimates.f_clean,
        estimates.f_cover,
        estimates.rho,
        estimates.binding_component,
        estimates.details,
        plan_metrics.initial_g,
        plan_metrics.min_n,
        defaults.zero_below,
        defaults.full_from,
        defaults.up_after_periods,
        defaults.g_timing,
        fitness.failed_zh,
        fitness.failed_en,
        fitness.is_fit,
        -- The order is fixed: a check that was not made or failed comes before any number (DESIGN 4.8).
        case
            when fitness.is_fit is not true then 'not_evaluated'
            when
                coalesce(estimates.n, 0) < plan_metrics.min_n
                or coalesce(estimates.agents, cohorts.cohort_agents) < defaults.min_agents
                then 'not_enough_data'
            when estimates.rho is null then 'not_evaluated'
            when estimates.rho >= defaults.full_from then 'reliable'
            when estimates.rho >= defaults.zero_below then 'weak'
            else 'unreliable'
        end as state
    from plan_metrics
    inner join cohorts
        on plan_metrics.plan_id = cohorts.plan_id and plan_metrics.plan_version = cohorts.plan_version
    cross join defaults
    left join estimates
        on
            plan_metrics.metric_id = estimates.metric_id
            and cohorts.cohort_key = estimates.cohort_key
            and cohorts.period_id = estimates.period_id
    left join fitness
        on plan_metrics.metric_id = fitness.metric_id

),

factored as (

    select
        stated.*,
        coalesce(announcements.g_next, stated.initial_g) as g_announced,
        announcements.g_next is not null as was_announced,
        case
            when stated.state = 'reliable' then 1
            when stated.state = 'weak' then stated.rho
            when stated.state = 'unreliable' then 0
        end as g_current,
        -- What a rise may reach: the lowest of the last closes and this one, if there are enough of them in a row.
        case
            when announcements.measured_closes < stated.up_after_periods - 1 then 0
            when stated.up_after_periods = 1 or announcements.lowest_rho >= stated.full_from then 1
            when announcements.lowest_rho >= stated.zero_below then announcements.lowest_rho
            else 0
        end as g_sustained,
        waivers.weight_factor as g_waived,
        waivers.reason as waiver_reason,
        overrides.weight_factor as g_overridden,
        overrides.reason as override_reason
    from stated
    left join announcements
        on
            stated.plan_id = announcements.plan_id
            and stated.metric_id = announcements.metric_id
            and stated.lasting_key = announcements.lasting_key
    left join waivers
        on
            stated.state = 'not_evaluated'
            and stated.metric_id = waivers.metric_id
            and stated.cohort_key = waivers.cohort_key
            and stated.period_id = waivers.period_id
            and waivers.waiver_rank = 1
    left join overrides
        on
            stated.metric_id = overrides.metric_id
            and stated.cohort_key = overrides.cohort_key
            and stated.period_id = overrides.period_id
            and overrides.override_rank = 1

),

-- Down at once, up only after a row of closes (reliability.md 3.2).
fixed as (

    select
        *,
        case
            when state = 'not_evaluated' then g_waived
            when state = 'not_enough_data' then g_announced
            when g_current <= g_announced then g_current
            when least(g_current, g_sustained) > g_announced then least(g_current, g_sustained)
            else g_announced
        end as g_next
    from factored

),

worded as (

    select
        *,
        coalesce(
            g_overridden,
            case
                when state = 'not_evaluated' then g_waived
                when g_timing = 'current' then g_next
                else g_announced
            end
        ) as weight_factor,
        case binding_component
            when 'f_resp'
                then
                    coalesce(
                        '答复太少（邀请 ' || (details ->> 'invited') || '，有效答复 ' || (details ->> 'answered') || '）',
                        '没有邀请记录'
                    )
            when 'f_bias'
                then
                    coalesce(
                        '答复者与未答复者不同（' || (details ->> 'largest_imbalance') || '）', '无法比较答复者与未答复者'
                    )
            when 'f_agree'
                then
                    '评分者一致性'
                    || case
                        when details #>> '{basis, f_agree}' = 'unverified'
                            then '未验证（双评 ' || coalesce(details ->> 'double_scored', '0') || ' 份）'
                        when details #>> '{basis, f_agree}' = 'unconnected' then '无法判断（各评分者没有共同的对象）'
                        else '不足（α = ' || coalesce(round((details ->> 'alpha')::numeric, 2)::text, '?') || '）'
                    end
            when 'f_clean'
                then
                    coalesce(
                        '可疑的数据太多（' || (details ->> 'rows') || ' 条中 ' || (details ->> 'distrusted') || ' 条）',
                        '没有任何数据'
                    )
            when 'f_cover'
                then '采集不足（应采 ' || (details ->> 'required') || '，实采 ' || (details ->> 'obtained') || '）'
            else coalesce(binding_component, '没有限制')
        end as limit_zh,
        case binding_component
            when 'f_resp'
                then
                    coalesce(
                        'few answers ('
                        || (details ->> 'answered')
                        || ' of '
                        || (details ->> 'invited')
                        || ' invitations)',
                        'no invitations are known'
                    )
            when 'f_bias'
                then
                    coalesce(
                        'answers from an unlike part of customers (' || (details ->> 'largest_imbalance') || ')',
                        'who answers cannot be compared with who does not'
                    )
            when 'f_agree'
                then
                    'agreement of raters'
                    || case
                        when details #>> '{basis, f_agree}' = 'unverified'
                            then ', unverified (' || coalesce(details ->> 'double_scored', '0') || ' double scores)'
                        when details #>> '{basis, f_agree}' = 'unconnected' then ', unknown (they share no agents)'
                        else ' (alpha ' || coalesce(round((details ->> 'alpha')::numeric, 2)::text, '?') || ')'
                    end
            when 'f_clean'
                then
                    coalesce(
                        'distrusted rows (' || (details ->> 'distrusted') || ' of ' || (details ->> 'rows') || ')',
                        'there is no row'
                    )
            when 'f_cover'
                then
                    'too few reviews ('
                    || (details ->> 'obtained')
                    || ' of '
                    || (details ->> 'required')
                    || ' asked for)'
            else coalesce(binding_component, 'nothing')
        end as limit_en
    from fixed

)

select
    period_id::text as period_id,
    plan_id::text as plan_id,
    plan_version::integer as plan_version,
    metric_id::text as metric_id,
    cohort_key::text as cohort_key,
    borrowed_from::text as borrowed_from,
    state::text as state,
    n::bigint as n,
    agents::integer as agents,
    f_resp::numeric as f_resp,
    f_bias::numeric as f_bias,
    f_agree::numeric as f_agree,
    f_clean::numeric as f_clean,
    f_cover::numeric as f_cover,
    rho::numeric as rho,
    binding_component::text as binding_component,
    ((details ->> 'answered')::numeric / nullif((details ->> 'invited')::numeric, 0))::numeric as response_rate,
    (details ->> 'largest_imbalance')::text as largest_imbalance,
    (details ->> 'smd')::numeric as imbalance_deviations,
    (details ->> 'raw_mean')::numeric as raw_mean,
    (details ->> 'raked_mean')::numeric as raked_mean,
    (details ->> 'double_scored')::bigint as double_scored,
    (details ->> 'alpha')::numeric as alpha,
    (details ->> 'alpha_low')::numeric as alpha_low,
    (details ->> 'icc')::numeric as icc,
    (details ->> 'icc_low')::numeric as icc_low,
    (details ->> 'distrusted')::bigint as distrusted_rows,
    (details ->> 'rows')::bigint as row_count,
    (details ->> 'obtained')::bigint as obtained_reviews,
    (details ->> 'required')::bigint as required_reviews,
    g_announced::numeric as g_announced,
    g_current::numeric as g_current,
    g_next::numeric as g_next,
    weight_factor::numeric as weight_factor,
    (g_overridden is not null)::boolean as is_overridden,
    (g_waived is not null)::boolean as is_waived,
    (
        case
            when g_overridden is not null then '人工决定：' || override_reason
            when g_waived is not null then '未评估，已批准豁免：' || waiver_reason
            when state = 'not_evaluated' and is_fit then '未评估：' || limit_zh
            when state = 'not_evaluated' then '未评估：' || coalesce(failed_zh, '没有运行质量检查')
            when state = 'not_enough_data' then '数据不足'
            when state = 'reliable' then '可信'
            else '可信度 ' || round(rho, 2) || '，受限于' || limit_zh
        end
        || case
            when borrowed_from is not null and g_overridden is null and g_waived is null
                then '（本群体人数不足，采用上级群体 ' || borrowed_from || '）'
            else ''
        end
        || case
            when weight_factor is null then ''
            when g_overridden is not null or g_waived is not null
                then '；信任系数 ' || trim_scale(round(weight_factor, 2))
            else
                '；信任系数 ' || trim_scale(round(weight_factor, 2))
                || case
                    when g_timing = 'current' then ''
                    when was_announced then '（上期已公布）'
                    else '（方案起始值）'
                end
                || case
                    when g_timing = 'announced' and g_next <> weight_factor
                        then '，下期为 ' || trim_scale(round(g_next, 2))
                    else ''
                end
        end
    )::text as reason_zh,
    (
        case
            when g_overridden is not null then 'decided by a person: ' || override_reason
            when g_waived is not null then 'not evaluated, waived: ' || waiver_reason
            when state = 'not_evaluated' and is_fit then 'not evaluated: ' || limit_en
            when state = 'not_evaluated' then 'not evaluated: ' || coalesce(failed_en, 'no check was run')
            when state = 'not_enough_data' then 'not enough data'
            when state = 'reliable' then 'trusted'
            else 'reliability ' || round(rho, 2) || ', limited by ' || limit_en
        end
        || case
            when borrowed_from is not null and g_overridden is null and g_waived is null
                then ' (of ' || borrowed_from || ', because this cohort is too small)'
            else ''
        end
        || case
            when weight_factor is null then ''
            when g_overridden is not null or g_waived is not null
                then '; factor ' || trim_scale(round(weight_factor, 2))
            else
                '; factor ' || trim_scale(round(weight_factor, 2))
                || case
                    when g_timing = 'current' then ''
                    when was_announced then ' as announced'
                    else ' as the plan opens'
                end
                || case
                    when g_timing = 'announced' and g_next <> weight_factor
                        then ', next period ' || trim_scale(round(g_next, 2))
                    else ''
                end
        end
    )::text as reason_en
from worded
