{{ config(indexes=[{'columns': ['agent_key', 'shift_start']}]) }}

with site as (

    select * from {{ ref('stg_cfg__site') }}

),

schedules as (

    select
        source_id,
        shift_name,
        weekday,
        start_time,
        end_time,
        minimum_seconds
    from {{ ref('stg_tabular__shift_schedule') }}

),

attendance_days as (

    select
        source_id,
        employee_number,
        attendance_date,
        shift_name,
        required_seconds,
        row_number() over (
            partition by employee_number, attendance_date
            order by required_seconds desc, attendance_id asc
        ) as day_rank
    from {{ ref('stg_tabular__attendance_day') }}

),

leave_requests as (

    select
        source_id,
        employee_number,
        start_date,
        end_date,
        start_part,
        end_part
    from {{ ref('stg_tabular__leave_request') }}
    where status = 'approved'

),

held as (

    select
        source_id,
        employee_number,
        valid_from,
        shift_name,
        lead(valid_from, 1, 'infinity') over (
            partition by source_id, employee_number
            order by valid_from
        ) as valid_until
    from {{ ref('stg_tabular__work_assignment') }}

),

published as (

    select
        employee_number,
        shift_date,
        start_time,
        end_time,
        coalesce(break_seconds, 0) as break_seconds,
        coalesce(is_rest_day, false) as is_rest_day,
        row_number() over (partition by employee_number, shift_date order by source_id) as day_rank
    from {{ ref('stg_tabular__roster') }}

),

leave_days as (

    select
        leave_requests.employee_number,
        leave_day.leave_date::date as leave_date,
        min(leave_requests.source_id) as source_id,
        bool_or(
            not (leave_day.leave_date = leave_requests.start_date and leave_requests.start_part <> 'full_day')
            and not (leave_day.leave_date = leave_requests.end_date and leave_requests.end_part <> 'full_day')
        ) as is_full_day
    from leave_requests
    cross join
        lateral
        generate_series(leave_requests.start_date, leave_requests.end_date, interval '1 day') as leave_day (leave_date)
    group by leave_requests.employee_number, leave_day.leave_date

),

-- Sources without a published roster still know on which days they expected somebody: days with an attendance
-- record (and the hours required on it) and days of approved leave.
derived as (

    select
        coalesce(attendance_days.employee_number, leave_days.employee_number) as employee_number,
        coalesce(attendance_days.attendance_date, leave_days.leave_date) as shift_date,
        coalesce(attendance_days.source_id, leave_days.source_id) as source_id,
        coalesce(attendance_days.shift_name, held.shift_name) as shift_name,
        attendance_days.required_seconds
    from attendance_days
    full join leave_days
        on
            attendance_days.employee_number = leave_days.employee_number
            and attendance_days.attendance_date = leave_days.leave_date
    cross join site
    left join held
        on
            leave_days.source_id = held.source_id
            and leave_days.employee_number = held.employee_number
            and (leave_days.leave_date + time '12:00') at time zone site.time_zone >= held.valid_from
            and (leave_days.leave_date + time '12:00') at time zone site.time_zone < held.valid_until
    where coalesce(attendance_days.day_rank, 1) = 1

),

shifts as (

    select
        derived.employee_number,
        derived.shift_date,
        schedules.start_time::time as start_time,
        schedules.end_time::time as end_time,
        coalesce(derived.required_seconds, schedules.minimum_seconds) as required_seconds,
        'derived' as basis
    from derived
    inner join schedules
        on
            derived.source_id = schedules.source_id
            and derived.shift_name = schedules.shift_name
            and extract(isodow from derived.shift_date) = schedules.weekday
    where
        not exists (
            select 1
            from published
            where
                derived.employee_number = published.employee_number
                and derived.shift_date = published.shift_date
        )

    union all

    select
        employee_number,
        shift_date,
        start_time::time as start_time,
        end_time::time as end_time,
        (
            extract(epoch from end_time::time - start_time::time)
            + case when end_time::time <= start_time::time then 86400 else 0 end
            - break_seconds
        )::bigint as required_seconds,
        'published' as basis
    from published
    where not is_rest_day and day_rank = 1

)

select
    shifts.employee_number as agent_key,
    shifts.shift_date,
    (shifts.shift_date + shifts.start_time) at time zone site.time_zone as shift_start,
    (
        shifts.shift_date + shifts.end_time
        + case when shifts.end_time <= shifts.start_time then interval '1 day' else interval '0' end
    ) at time zone site.time_zone as shift_end,
    shifts.required_seconds,
    shifts.basis,
    coalesce(leave_days.is_full_day, false) as is_on_leave,
    leave_days.leave_date is not null and not leave_days.is_full_day as is_on_half_leave
from shifts
cross join site
left join leave_days
    on
        shifts.employee_number = leave_days.employee_number
        and shifts.shift_date = leave_days.leave_date
