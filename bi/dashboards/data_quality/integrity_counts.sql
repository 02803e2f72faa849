-- One row per rule about agents and metric: how many people it tested, and in which state they are.
select
    integrity_finding.rule_id,
    integrity_finding.rule_name_zh,
    integrity_finding.rule_name_en,
    integrity_finding.metric_id,
    integrity_finding.owner_role,
    count(*) filter (where integrity_finding.state not in ('not_enough_data', 'not_evaluated')) as tested,
    count(*) filter (where integrity_finding.state = 'suspected') as suspected,
    count(*) filter (where integrity_finding.state = 'confirmed') as confirmed,
    count(*) filter (where integrity_finding.state = 'dismissed') as dismissed,
    count(*) filter (where integrity_finding.state = 'not_enough_data') as not_enough_data,
    count(*) filter (where integrity_finding.state = 'not_evaluated') as not_evaluated
from pub_operations.integrity_finding
group by
    integrity_finding.rule_id, integrity_finding.rule_name_zh, integrity_finding.rule_name_en,
    integrity_finding.metric_id, integrity_finding.owner_role
