with curves as (

    select
        plan_id,
        metric_id,
        curve,
        curve_kind,
        is_falling
    from {{ ref('stg_cfg__plan_metric') }}

),

points as (

    {{ curve_points('curves', ['plan_id', 'metric_id']) }}

)

select
    curves.plan_id,
    curves.metric_id,
    curves.curve_kind,
    curves.is_falling,
    points.curve_xs,
    points.curve_ys,
    points.curve_cap,
    points.curve_target,
    points.curve_low,
    points.curve_high,
    -- The least demanding value that earns all 100 points, in the metric's own unit.
    (
        select corner.x * case when curves.is_falling then -1 else 1 end
        from unnest(points.curve_xs, points.curve_ys) as corner (x, y)
        where corner.y >= 100 and corner.x is not null
        order by corner.x
        limit 1
    ) as full_points_value
from curves
inner join points
    on curves.plan_id = points.plan_id and curves.metric_id = points.metric_id
