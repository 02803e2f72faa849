-- Invariant 14 (reliability.md 10): a team's ratio is that of the counts of its own rows, of whatever people they are.
-- That this is not the mean of its agents' ratios is told by a planted fault (tests/dbt/planted.yml).
with period as (

    select * from {{ ref('stg_cfg__period') }}

),

ratios as (

    select
        metric_id,
        metric_version,
        scale
    from {{ ref('stg_cfg__metric') }}
    where kind = 'ratio' and metric_id in ({{ additive_metrics() }})

),

team_values as (

    select
        metric_values.metric_id,
        metric_values.unit_key as team_key,
        metric_values.value as team_value
    from {{ ref('metric_value') }} as metric_values
    inner join ratios
        on metric_values.metric_id = ratios.metric_id
    where
        metric_values.unit_kind = 'team'
        and metric_values.channel = 'all'
        and metric_values.period_kind = 'period'
        and metric_values.value is not null
        and not exists (
            select 1 from {{ ref('exempt_day') }} as exempt
            where
                exempt.metric_id = metric_values.metric_id
                and (
                    exempt.unit_kind = 'all'
                    or (exempt.unit_kind = 'team' and exempt.unit_key = metric_values.unit_key)
                )
        )

),

pooled as (

    select
        ratios.metric_id,
        daily.unit_key as team_key,
        max(ratios.scale) * coalesce(sum(daily.measure_value) filter (where parts.part = 'numerator'), 0)
        / nullif(sum(daily.measure_value) filter (where parts.part = 'denominator'), 0) as pooled_value
    from ratios
    inner join {{ ref('stg_cfg__metric_measure') }} as parts
        on ratios.metric_id = parts.metric_id and ratios.metric_version = parts.metric_version
    inner join {{ ref('measure_day') }} as daily
        on parts.measure_id = daily.measure_id
    left join {{ ref('int_metric_window') }} as windows
        on
            ratios.metric_id = windows.metric_id
            and daily.business_date between windows.valid_from and windows.valid_to
    inner join period
        on
            coalesce(greatest(daily.business_date + windows.window_days, windows.not_before), daily.business_date)
            between period.period_start and period.period_end
    where daily.unit_kind = 'team'
    group by ratios.metric_id, daily.unit_key

)

select
    team_values.metric_id,
    team_values.team_key,
    team_values.team_value,
    pooled.pooled_value
from team_values
left join pooled
    on team_values.metric_id = pooled.metric_id and team_values.team_key = pooled.team_key
where
    pooled.pooled_value is null
    or abs(team_values.team_value - pooled.pooled_value) > 1e-9 * greatest(1, abs(pooled.pooled_value))
