-- One row per team in the last period: how far apart the loads of its people are.
with period as (
    select max(workload_balance.period_end) as period_end
    from pub_kpi.workload_balance
    where workload_balance.period_kind = 'period'
)

select
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
    workload_balance.workload_balance_index,
    workload_balance.null_reason as reason,
    workload_balance.agent_count,
    workload_balance.mean_load_share,
    workload_balance.lowest_load_share,
    workload_balance.highest_load_share
from pub_kpi.workload_balance
inner join period on workload_balance.period_end = period.period_end
inner join pub_kpi.team on workload_balance.team_key = team.team_key
where workload_balance.period_kind = 'period'
