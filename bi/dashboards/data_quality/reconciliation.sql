-- One row per source and total that it counts itself: ours beside its own, and on how many days they differ too much.
select
    reconciliation.source_id,
    reconciliation.rule_id,
    reconciliation.name_zh,
    reconciliation.name_en,
    reconciliation.compared_zh,
    reconciliation.compared_en,
    sum(reconciliation.our_value) filter (where reconciliation.unit_kind = 'source') as our_value,
    sum(reconciliation.source_value) filter (where reconciliation.unit_kind = 'source') as source_value,
    count(*) filter (where reconciliation.unit_kind = 'source') as days,
    count(distinct reconciliation.business_date) filter (where not reconciliation.is_within) as days_apart,
    max(reconciliation.difference_share) as largest_difference,
    case
        when bool_or(reconciliation.is_blocking) then 'failed'
        when bool_or(not reconciliation.is_within) then 'attention'
        when bool_and(reconciliation.is_within) then 'ok'
        else 'not_evaluated'
    end as state,
    case
        when bool_or(reconciliation.is_blocking) then 1
        when bool_or(not reconciliation.is_within) then 2
        when bool_and(reconciliation.is_within) then 4
        else 3
    end as state_rank
from pub_operations.reconciliation
group by
    reconciliation.source_id, reconciliation.rule_id, reconciliation.name_zh, reconciliation.name_en,
    reconciliation.compared_zh, reconciliation.compared_en
