-- A score is shown with grade and interval, or a status says why not; its grade is one of the plan, or the lowest; a
-- gate only ever lowers it.
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
    (scores.status in ('published', 'under_review')) <> (scores.composite is not null)
    or (scores.composite is not null) <> (scores.composite_unadjusted is not null)
    or (scores.composite is not null) <> (grades.grade_name is not null)
    or scores.composite > scores.composite_before_gates
    or (scores.composite < scores.composite_before_gates and scores.gates_en is null)
    or not coalesce(scores.composite_before_gates between scores.interval_low and scores.interval_high, true)
    or scores.own_data_weight not between 0 and 100
