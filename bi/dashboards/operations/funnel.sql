-- One row per kind of enquiry and stage in the days of the last period: how many customers got that far.
with period as (
    select
        metric_value.period_start,
        metric_value.period_end
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period'
    order by metric_value.period_end desc
    limit 1
)

select
    enquiry_funnel.enquiry_kind,
    enquiry_funnel.stage,
    enquiry_funnel.stage_number,
    sum(enquiry_funnel.customer_count) as customer_count,
    sum(enquiry_funnel.customer_count) / nullif(
        lag(sum(enquiry_funnel.customer_count)) over (
            partition by enquiry_funnel.enquiry_kind
            order by enquiry_funnel.stage_number
        ),
        0
    ) as step_share
from pub_kpi.enquiry_funnel
cross join period
where
    enquiry_funnel.unit_kind = 'site'
    and enquiry_funnel.business_date between period.period_start and period.period_end
group by enquiry_funnel.enquiry_kind, enquiry_funnel.stage, enquiry_funnel.stage_number
