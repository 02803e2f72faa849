-- One row per agent and metric that is only watched: for the lead, nothing is done.
select
    decline_signal.agent_key,
    coalesce(agent.agent_name, decline_signal.agent_key) as agent_name,
    coalesce(team.name_zh, decline_signal.team_key) as team_name_zh,
    coalesce(team.name_en, decline_signal.team_key) as team_name_en,
    coalesce(named.name_zh, decline_signal.metric_id) as metric_name_zh,
    coalesce(named.name_en, decline_signal.metric_id) as metric_name_en,
    decline_signal.grain,
    decline_signal.opened_on,
    decline_signal.low_units,
    decline_signal.words_zh,
    decline_signal.words_en
from pub_kpi.decline_signal
left join pub_kpi.team on decline_signal.team_key = team.team_key
left join pub_kpi.agent on decline_signal.agent_key = agent.agent_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = decline_signal.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
where decline_signal.is_silent [[and {{team}}]]
