-- A counted day has both sides of the rate, attended at most required. A day that does not count says why: leave, a
-- contradiction, a dispute, or a shift that is not over at the instant of the clocks.
select
    attendance.agent_key,
    attendance.business_date,
    attendance.required_seconds,
    attendance.attended_seconds
from {{ ref('fct_attendance') }} as attendance
left join {{ ref('int_shift') }} as shifts
    on attendance.agent_key = shifts.agent_key and attendance.business_date = shifts.shift_date
where
    attendance.required_seconds <= 0
    or attendance.attended_seconds > attendance.required_seconds
    or (attendance.attended_seconds is null) <> (attendance.is_contradicted or attendance.is_disputed)
    or attendance.is_counted is distinct from (
        not attendance.is_on_leave
        and not attendance.is_contradicted
        and not attendance.is_disputed
        and shifts.shift_end <= '{{ var("as_of") }}'::timestamptz
    )
