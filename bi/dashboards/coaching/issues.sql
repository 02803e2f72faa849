-- One row per metric that changed for a whole team, open ones first.
select
    coalesce(team.name_zh, common_issue.team_key) as team_name_zh,
    coalesce(team.name_en, common_issue.team_key) as team_name_en,
    coalesce(named.name_zh, common_issue.metric_id) as metric_name_zh,
    coalesce(named.name_en, common_issue.metric_id) as metric_name_en,
    case common_issue.state when 'open' then 0 else 1 end as state_order,
    common_issue.state,
    common_issue.opened_on,
    common_issue.team_shift,
    common_issue.alarmed_agents,
    common_issue.alarmed_beyond_team_agents,
    common_issue.causes_zh,
    common_issue.causes_en,
    common_issue.incident_state,
    common_issue.product_launch_state,
    common_issue.queue_mix_state,
    common_issue.roster_state,
    common_issue.source_change_state
from pub_kpi.common_issue
left join pub_kpi.team on common_issue.team_key = team.team_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = common_issue.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
where true [[and {{team}}]]
