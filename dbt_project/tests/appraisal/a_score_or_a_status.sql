-- A score is published with grade and interval, or a status says why not; its grade is one of the plan, or the lowest.
with scores as (

    select * from {{ ref('score') }}

),

plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

grades as (

    select
        plans.plan_id,
        grade.grade_name
    from plans
    cross join lateral jsonb_object_keys(plans.grades) as grade (grade_name)

    union

    select
        plan_id,
        'D' as grade_name
    from plans

)

select
    scores.plan_id,
    scores.agent_key,
    scores.status,
    scores.composite,
    scores.grade
from scores
left join grades
    on scores.plan_id = grades.plan_id and scores.grade = grades.grade_name
where
    (scores.status = 'published') <> (scores.composite is not null)
    or (scores.status = 'published') <> (scores.composite_unadjusted is not null)
    or (scores.status = 'published') <> (grades.grade_name is not null)
    or not coalesce(scores.composite between scores.interval_low and scores.interval_high, true)
    or scores.own_data_weight not between 0 and 100
