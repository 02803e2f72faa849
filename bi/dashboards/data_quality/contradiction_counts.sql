-- One row per rule that found something: how often, about how many people, and over which days.
select
    contradiction.rule_id,
    contradiction.owner_role,
    contradiction.severity,
    case contradiction.severity when 'critical' then 1 when 'warning' then 2 else 3 end as severity_rank,
    min(contradiction.description_zh) as description_zh,
    min(contradiction.description_en) as description_en,
    count(*) as found,
    count(distinct contradiction.agent_key) as agents,
    min(contradiction.business_date) as first_date,
    max(contradiction.business_date) as last_date
from pub_operations.contradiction
group by contradiction.rule_id, contradiction.owner_role, contradiction.severity
