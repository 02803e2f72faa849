-- State, parts, reliability and factor of a metric say the same thing (DESIGN 4.8).
with reliability as (

    select * from {{ ref('metric_reliability') }}

),

defaults as (

    select
        (body #>> '{g, zero_below}')::numeric as zero_below,
        (body #>> '{g, full_from}')::numeric as full_from,
        body #>> '{g, timing}' as g_timing
    from ({{ current_config('defaults') }}) as current_defaults

),

-- Who changed plans is counted in each of them, and the metric only once.
counted as (

    select
        agents.plan_id,
        agents.cohort_key,
        metric_values.metric_id,
        sum(metric_values.n) as n,
        max(agents.stint_count) as stint_count
    from {{ ref('int_plan_agent') }} as agents
    inner join {{ ref('metric_value') }} as metric_values
        on agents.agent_key = metric_values.unit_key and agents.period_id = metric_values.period_id
    where
        metric_values.unit_kind = 'agent'
        and metric_values.channel = 'all'
        and metric_values.period_kind = 'period'
    group by agents.plan_id, agents.cohort_key, metric_values.metric_id

)

select
    reliability.plan_id,
    reliability.metric_id,
    reliability.cohort_key,
    reliability.state,
    reliability.n,
    counted.n as n_of_the_metric,
    reliability.rho,
    reliability.g_announced,
    reliability.g_next,
    reliability.weight_factor
from reliability
cross join defaults
left join counted
    on
        reliability.plan_id = counted.plan_id
        and reliability.cohort_key = counted.cohort_key
        and reliability.metric_id = counted.metric_id
where
    (reliability.borrowed_from is null and counted.stint_count = 1 and reliability.n <> counted.n)
    or reliability.rho <> least(
        reliability.f_resp, reliability.f_bias, reliability.f_agree, reliability.f_clean, reliability.f_cover
    )
    or case reliability.state
        when 'not_evaluated' then reliability.g_current is not null
        when 'not_enough_data'
            then reliability.g_current is not null or reliability.g_next is distinct from reliability.g_announced
        when 'reliable' then reliability.rho < defaults.full_from or reliability.g_current is distinct from 1
        when 'weak'
            then
                reliability.rho not between defaults.zero_below and defaults.full_from
                or reliability.g_current is distinct from reliability.rho
        else reliability.rho >= defaults.zero_below or reliability.g_current is distinct from 0
    end
    -- Lower at once, and never above what this period alone would give.
    or (reliability.g_current < reliability.g_announced and reliability.g_next is distinct from reliability.g_current)
    or (
        reliability.g_current >= reliability.g_announced
        and reliability.g_next not between reliability.g_announced and reliability.g_current
    )
    or (
        not reliability.is_overridden
        and case
            when reliability.is_waived then reliability.weight_factor is null
            when reliability.state = 'not_evaluated' then reliability.weight_factor is not null
            when defaults.g_timing = 'announced' then reliability.weight_factor is distinct from reliability.g_announced
            else reliability.weight_factor is distinct from reliability.g_next
        end
    )
