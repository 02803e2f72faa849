with objects as (

    {{ current_config('plan') }}

),

periods as (

    select
        period_id,
        plan_ids
    from {{ ref('stg_cfg__period') }}

),

approvals as (

    select
        plan_id,
        version,
        content_hash,
        approved_by,
        approved_at
    from {{ source('cfg', 'plan_approval') }}

)

select
    objects.object_id as plan_id,
    objects.version as plan_version,
    objects.content_hash as plan_hash,
    objects.body #>> '{name, zh}' as name_zh,
    objects.body #>> '{name, en}' as name_en,
    objects.body ->> 'mode' as plan_mode,
    objects.body ->> 'role' as role,
    periods.period_id,
    approvals.approved_by,
    approvals.approved_at,
    objects.body -> 'metrics' as plan_metrics,
    objects.body -> 'grades' as grades
from objects
inner join periods on periods.plan_ids ? objects.object_id
left join approvals
    on
        objects.object_id = approvals.plan_id
        and objects.version = approvals.version
        and objects.content_hash = approvals.content_hash
