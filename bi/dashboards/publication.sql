-- One row: the publication that every number on the page belongs to, and the newest published period.
with latest as (
    select
        publication.publication_id,
        publication.data_cut,
        publication.as_of,
        publication.period_mode,
        publication.published_gates,
        publication.banner_zh,
        publication.banner_en
    from pub_operations.publication
    order by publication.publication_id desc
    limit 1
),

period as (
    select
        metric_value.period_id,
        metric_value.period_start,
        metric_value.period_end
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period'
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    latest.publication_id,
    latest.data_cut,
    latest.as_of,
    latest.period_mode,
    latest.banner_zh,
    latest.banner_en,
    period.period_id,
    period.period_start,
    period.period_end,
    (
        select count(*) filter (where gate.value in ('passed', 'true'))
        from jsonb_each_text(latest.published_gates) as gate
    ) as gates_passed,
    (select count(*) from jsonb_each_text(latest.published_gates)) as gates_total
from latest
left join period on true
