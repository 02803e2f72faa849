-- One row per finding about an agent that waits for a person, or that a person has decided. By personnel number only.
select
    integrity_finding.state,
    case integrity_finding.state when 'suspected' then 1 when 'confirmed' then 2 else 3 end as state_rank,
    integrity_finding.agent_key,
    integrity_finding.rule_id,
    integrity_finding.metric_id,
    integrity_finding.reason_zh,
    integrity_finding.reason_en,
    integrity_finding.owner_role
from pub_operations.integrity_finding
where integrity_finding.state in ('suspected', 'confirmed', 'dismissed')
