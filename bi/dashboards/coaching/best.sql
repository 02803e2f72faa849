-- One row per agent and metric that became lastingly better.
select
    best_practice.agent_key,
    coalesce(agent.agent_name, best_practice.agent_key) as agent_name,
    coalesce(team.name_zh, best_practice.team_key) as team_name_zh,
    coalesce(team.name_en, best_practice.team_key) as team_name_en,
    coalesce(named.name_zh, best_practice.metric_id) as metric_name_zh,
    coalesce(named.name_en, best_practice.metric_id) as metric_name_en,
    best_practice.opened_on,
    best_practice.words_zh,
    best_practice.words_en,
    best_practice.last_coached_on
from pub_kpi.best_practice
left join pub_kpi.team on best_practice.team_key = team.team_key
left join pub_kpi.agent on best_practice.agent_key = agent.agent_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = best_practice.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
where true [[and {{team}}]]
