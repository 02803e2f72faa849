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
        checks.body #>> '{reason, zh}' as reason_zh,
        checks.body #>> '{reason, en}' as reason_en
    from suites
    cross join lateral jsonb_array_elements(suites.body -> 'expectations') as checks (body)

),

results as (

    select
        suite,
        expectation_id,
        success
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
    case when results.success is null then '没有运行：' else '' end || declared.reason_zh as reason_zh,
    case when results.success is null then 'not run: ' else '' end || declared.reason_en as reason_en
from declared
left join results
    on declared.suite = results.suite and declared.expectation_id = results.expectation_id
