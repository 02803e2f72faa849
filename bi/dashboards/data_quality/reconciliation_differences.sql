-- One row per total of a day that differs by more than the tolerance: which unit, and by how much.
select
    reconciliation.source_id,
    reconciliation.business_date,
    reconciliation.name_zh,
    reconciliation.name_en,
    reconciliation.unit_kind,
    reconciliation.unit_key,
    reconciliation.our_value,
    reconciliation.source_value,
    reconciliation.difference_share,
    reconciliation.tolerance_share,
    case when reconciliation.is_blocking then 'failed' else 'attention' end as state
from pub_operations.reconciliation
where not reconciliation.is_within
