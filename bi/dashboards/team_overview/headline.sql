-- One row per headline metric and channel of the whole site in one period.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    metric_definition.display_order,
    metric_definition.metric_id,
    metric_definition.name_zh as metric_name_zh,
    metric_definition.name_en as metric_name_en,
    metric_definition.formula_zh,
    metric_definition.formula_en,
    metric_definition.unit,
    metric_definition.decimals,
    metric_definition.direction,
    metric_definition.target,
    metric_definition.tolerance,
    metric_definition.min_n,
    metric_value.channel,
    metric_value.value,
    metric_value.interval_low,
    metric_value.interval_high,
    metric_value.n,
    metric_value.null_reason,
    weakest.state as reliability,
    weakest.reason_zh as reliability_reason_zh,
    weakest.reason_en as reliability_reason_en
from period
inner join pub_kpi.metric_value on period.period_id = metric_value.period_id
inner join pub_kpi.metric_definition
    on metric_value.metric_id = metric_definition.metric_id
    and metric_value.metric_version = metric_definition.version
-- The site spans several cohorts; a headline is trusted no more than its least trusted cohort.
left join lateral (
    select
        metric_reliability.state,
        metric_reliability.reason_zh,
        metric_reliability.reason_en
    from pub_kpi.metric_reliability
    where
        metric_reliability.metric_id = metric_value.metric_id
        and metric_reliability.period_id = metric_value.period_id
    order by
        array_position(
            array['unreliable', 'not_evaluated', 'not_enough_data', 'weak', 'reliable'], metric_reliability.state
        ),
        metric_reliability.cohort_key
    limit 1
) as weakest on true
where
    metric_value.unit_kind = 'site'
    and metric_value.period_kind = 'period'
    -- Channels stand side by side; their pool would repeat a metric that has only one.
    and metric_value.channel <> 'all'
    and metric_value.metric_id in (
        'conversations_handled', 'service_level', 'abandonment_rate', 'asa', 'customer_first_response_time',
        'avg_response_time', 'aht', 'csat_rate', 'survey_response_rate', 'qa_listening_score', 'exam_score',
        'attendance_rate'
    )
    [[and {{channel}}]]
