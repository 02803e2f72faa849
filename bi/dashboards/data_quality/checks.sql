-- One row per check: what was expected, what was found, how bad it is and who fixes it.
select
    quality_result.suite,
    quality_result.expectation_id,
    quality_result.severity,
    case quality_result.success
        when true then 'ok'
        when false then case when quality_result.severity = 'critical' then 'failed' else 'attention' end
        else 'not_evaluated'
    end as state,
    quality_result.observed,
    quality_result.threshold,
    quality_result.failing_count,
    quality_result.reason_zh,
    quality_result.reason_en,
    quality_result.fixed_by,
    array_position(array['critical', 'warning', 'info'], quality_result.severity) as severity_rank,
    case when quality_result.success then 2 when quality_result.success is null then 1 else 0 end as result_rank
from pub_operations.quality_result
