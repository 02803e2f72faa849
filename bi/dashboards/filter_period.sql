-- One row per published period: the choices of the period filter.
select distinct
    metric_value.period_id as value,
    metric_value.period_id as label_zh,
    metric_value.period_id as label_en
from pub_kpi.metric_value
where metric_value.period_kind = 'period'
