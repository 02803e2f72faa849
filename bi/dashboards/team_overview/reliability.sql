-- One row per subjective metric and cohort in one period: may this number move anybody's score?
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
    metric_reliability.state,
    metric_reliability.rho,
    metric_reliability.weight_factor,
    metric_reliability.binding_component,
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
