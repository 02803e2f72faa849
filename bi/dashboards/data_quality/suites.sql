-- One row per suite of checks. A suite that evaluated nothing is not a suite that passed.
select
    quality_result.suite,
    count(*) as checks,
    count(*) filter (where quality_result.success) as passed,
    count(*) filter (where quality_result.success is false) as failed,
    count(*) filter (where quality_result.success is null) as not_evaluated,
    case
        when bool_or(quality_result.success is false and quality_result.severity = 'critical') then 'failed'
        when bool_or(quality_result.success is null) then 'not_evaluated'
        when bool_or(quality_result.success is false) then 'attention'
        else 'ok'
    end as state,
    -- Only where somebody has to act; the checks below name the role of each.
    min(quality_result.fixed_by) filter (where quality_result.success is not true) as fixed_by
from pub_operations.quality_result
group by quality_result.suite
