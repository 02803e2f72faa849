-- One row per source and rule about single ratings or reviews: what it found, or what the source does not deliver.
select
    case when row_rule.state = 'not_evaluated' then 'not_evaluated'
        when row_rule.found_count > 0 then 'attention' else 'ok' end as state,
    case when row_rule.state = 'not_evaluated' then 2 when row_rule.found_count > 0 then 1 else 3 end as state_rank,
    row_rule.source_id,
    row_rule.rule_id,
    substring(row_rule.rule_id from 2)::integer as rule_rank,
    row_rule.rule_name_zh,
    row_rule.rule_name_en,
    row_rule.row_count,
    row_rule.found_count,
    row_rule.excluded_count,
    row_rule.detail_zh,
    row_rule.detail_en,
    row_rule.owner_role
from pub_operations.row_rule
