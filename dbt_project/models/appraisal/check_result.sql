with suites as (

    {{ current_config('suite') }}

),

declared as (

    select
        suites.object_id as suite,
        suites.body ->> 'duty' as duty,
        suites.body ->> 'metric_id' as metric_id,
        checks.body ->> 'id' as expectation_id,
        checks.body ->> 'severity' as severity,
        checks.body ->> 'fixed_by' as fixed_by,
        checks.body #>> '{reason, zh}' as reason_zh,
        checks.body #>> '{reason, en}' as reason_en
    from suites
    cross join lateral jsonb_array_elements(suites.body -> 'expectations') as checks (body)

),

-- What no plan uses needs no trust.
used as (

    select metric_id
    from {{ ref('stg_cfg__plan_metric') }}
    group by metric_id

),

results as (

    select
        suite,
        expectation_id,
        success,
        observed,
        threshold,
        jsonb_array_length(failing_keys) as failing_count
    from {{ source('ops', 'quality_result') }}
    where calc_id = '{{ var("calc_id") }}'

)

select
    declared.suite,
    declared.duty,
    declared.metric_id,
    declared.expectation_id,
    declared.severity,
    results.success,
    results.observed,
    results.threshold,
    results.failing_count,
    declared.fixed_by,
    case when results.success is null then '没有运行：' else '' end || declared.reason_zh as reason_zh,
    case when results.success is null then 'not run: ' else '' end || declared.reason_en as reason_en
from declared
left join results
    on declared.suite = results.suite and declared.expectation_id = results.expectation_id
left join used
    on declared.metric_id = used.metric_id
where declared.metric_id is null or used.metric_id is not null
