-- One row per subjective metric and cohort: what it weighs, what it will weigh, and the part that limits it.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    metric_reliability.metric_id,
    coalesce(named.name_zh, metric_reliability.metric_id) as metric_name_zh,
    coalesce(named.name_en, metric_reliability.metric_id) as metric_name_en,
    metric_reliability.cohort_key,
    metric_reliability.cohort_name_zh,
    metric_reliability.cohort_name_en,
    metric_reliability.borrowed_from,
    metric_reliability.state,
    metric_reliability.n,
    metric_reliability.agents,
    metric_reliability.rho,
    metric_reliability.f_resp,
    metric_reliability.f_bias,
    metric_reliability.f_agree,
    metric_reliability.f_clean,
    metric_reliability.f_cover,
    metric_reliability.binding_component,
    metric_reliability.g_announced,
    metric_reliability.g_current,
    metric_reliability.g_next,
    metric_reliability.weight_factor,
    case
        when metric_reliability.is_overridden then 'overridden'
        when metric_reliability.is_waived then 'waived'
        when metric_reliability.weight_factor is null then 'blocked'
        when metric_reliability.g_next > metric_reliability.g_announced then 'rises'
        when metric_reliability.g_next < metric_reliability.g_announced then 'falls'
        else 'stays'
    end as factor_change,
    metric_reliability.response_rate,
    metric_reliability.largest_imbalance,
    metric_reliability.raw_mean,
    metric_reliability.raked_mean,
    metric_reliability.double_scored,
    metric_reliability.alpha,
    metric_reliability.alpha_low,
    metric_reliability.icc_low,
    metric_reliability.obtained_reviews,
    metric_reliability.required_reviews,
    metric_reliability.distrusted_rows,
    metric_reliability.row_count,
    metric_reliability.reason_zh,
    metric_reliability.reason_en
from period
inner join pub_kpi.metric_reliability on period.period_id = metric_reliability.period_id
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = metric_reliability.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
