-- One row per contradiction between two sources about the same agent and day. Suspicious, not proven: a person decides.
select
    contradiction.rule_id,
    contradiction.owner_role,
    contradiction.severity,
    case contradiction.severity when 'critical' then 1 when 'warning' then 2 else 3 end as severity_rank,
    contradiction.business_date,
    coalesce(agent.agent_name, contradiction.agent_key) as agent,
    agent.team_key,
    contradiction.left_side,
    contradiction.right_side,
    contradiction.description_zh,
    contradiction.description_en
from pub_operations.contradiction
left join pub_kpi.agent on contradiction.agent_key = agent.agent_key
