-- A day that a missing clock-out or an endless punch makes doubtful is listed for people and left out of attendance.
with doubtful as (

    select
        agent_key,
        business_date
    from {{ ref('contradiction') }}
    where rule_id in ('forgotten_clock_out', 'attendance_too_long')
    group by agent_key, business_date

),

attendance as (

    select
        agent_key,
        business_date,
        is_contradicted,
        is_counted
    from {{ ref('fct_attendance') }}

)

select
    attendance.agent_key,
    attendance.business_date
from attendance
left join doubtful
    on attendance.agent_key = doubtful.agent_key and attendance.business_date = doubtful.business_date
where
    attendance.is_contradicted <> (doubtful.agent_key is not null)
    or (doubtful.agent_key is not null and attendance.is_counted)
