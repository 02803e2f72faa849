-- One row per team or the site, channel and part of handle time, in the last whole week of the period.
with period as (
    select max(metric_value.period_end) as period_end
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period'
),

week as (
    select max(driver_tree.period_start) as period_start
    from pub_kpi.driver_tree
    cross join period
    where driver_tree.period_kind = 'week' and driver_tree.period_start <= period.period_end
),

unit as (
    select
        'site' as unit_kind,
        'site' as unit_key,
        '' as unit_order,
        '全中心' as name_zh,
        'Whole site' as name_en
    union all
    select
        'team' as unit_kind,
        team.team_key as unit_key,
        team.team_key as unit_order,
        team.name_zh,
        team.name_en
    from pub_kpi.team
)

select
    unit.unit_order,
    unit.name_zh as unit_name_zh,
    unit.name_en as unit_name_en,
    driver_tree.channel,
    driver_tree.driver,
    driver_tree.driver_value,
    driver_tree.total_value,
    driver_tree.own_change,
    driver_tree.total_change,
    driver_tree.total_case_count
from pub_kpi.driver_tree
inner join week on driver_tree.period_start = week.period_start
inner join unit on driver_tree.unit_kind = unit.unit_kind and driver_tree.unit_key = unit.unit_key
where driver_tree.tree = 'aht' and driver_tree.period_kind = 'week'
