-- One row per team or the site, channel and issue class in the last period: solved at first contact and expected.
with period as (
    select max(driver_tree.period_end) as period_end
    from pub_kpi.driver_tree
    where driver_tree.period_kind = 'period'
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
    driver_tree.case_count,
    driver_tree.amount / nullif(driver_tree.case_count, 0) as class_rate,
    driver_tree.expected_value * driver_tree.total_case_count / nullif(driver_tree.case_count, 0) as site_rate,
    driver_tree.total_value,
    sum(driver_tree.expected_value) over (
        partition by driver_tree.unit_kind, driver_tree.unit_key, driver_tree.channel
    ) as expected_total
from pub_kpi.driver_tree
inner join period on driver_tree.period_end = period.period_end
inner join unit on driver_tree.unit_kind = unit.unit_kind and driver_tree.unit_key = unit.unit_key
where driver_tree.tree = 'fcr' and driver_tree.period_kind = 'period'
