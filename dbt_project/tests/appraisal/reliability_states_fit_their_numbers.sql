-- State, parts, reliability and factor of a metric say the same thing (DESIGN 4.8).
with reliability as (

    select * from {{ ref('metric_reliability') }}

),

defaults as (

    select
        (body #>> '{g, zero_below}')::numeric as zero_below,
        (body #>> '{g, full_from}')::numeric as full_from
    from ({{ current_config('defaults') }}) as current_defaults

),

counted as (

    select
        agents.plan_id,
        metric_values.metric_id,
        sum(metric_values.n) as n
    from {{ ref('int_plan_agent') }} as agents
    inner join {{ ref('metric_value') }} as metric_values
        on agents.agent_key = metric_values.unit_key and agents.period_id = metric_values.period_id
    where metric_values.unit_kind = 'agent' and metric_values.channel = 'all'
    group by agents.plan_id, metric_values.metric_id

)

select
    reliability.plan_id,
    reliability.metric_id,
    reliability.state,
    reliability.n,
    counted.n as n_of_the_metric,
    reliability.rho,
    reliability.weight_factor
from reliability
cross join defaults
left join counted
    on reliability.plan_id = counted.plan_id and reliability.metric_id = counted.metric_id
where
    reliability.n <> counted.n
    or reliability.rho <> least(
        reliability.f_resp, reliability.f_bias, reliability.f_agree, reliability.f_clean, reliability.f_cover
    )
    or reliability.weight_factor not between 0 and 1
    or (
        not reliability.is_overridden
        and case reliability.state
            when 'not_evaluated' then reliability.weight_factor is not null
            when 'not_enough_data' then reliability.weight_factor is null
            when 'reliable' then reliability.rho < defaults.full_from or reliability.weight_factor <> 1
            when 'weak'
                then
                    reliability.rho not between defaults.zero_below and defaults.full_from
                    or reliability.weight_factor <> reliability.rho
            else reliability.rho >= defaults.zero_below or reliability.weight_factor <> 0
        end
    )
