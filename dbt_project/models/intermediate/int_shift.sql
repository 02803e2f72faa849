{{ moves(marks={'shift': 'agent_key'}, days=['shift_date', 'shift_date'], dates=['shift_date']) }}

with site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

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
        end_part,
        is_paid
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
        agent_key as employee_number,
        shift_date,
        start_time,
        end_time,
        coalesce(break_seconds, 0) as break_seconds,
        coalesce(is_rest_day, false) as is_rest_day
    from {{ ref('int_roster') }}
    where not is_withdrawn

),

leave_days as (

    select
        leave_requests.employee_number,
        leave_day.leave_date::date as leave_date,
        min(leave_requests.source_id) as source_id,
        bool_or(
            not (leave_day.leave_date = leave_requests.start_date and leave_requests.start_part <> 'full_day')
            and not (leave_day.leave_date = leave_requests.end_date and leave_requests.end_part <> 'full_day')
        ) as is_full_day,
        -- NULL unless every request that covers the day says it.
        case when count(leave_requests.is_paid) = count(*) then bool_and(leave_requests.is_paid) end as is_paid
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
        null::bigint as break_seconds,
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
        null::bigint as required_seconds,
        break_seconds,
        'published' as basis
    from published
    where not is_rest_day

),

local_shifts as (

    select
        employee_number,
        shift_date,
        shift_date + start_time as local_start,
        shift_date + end_time
        + case when end_time <= start_time then interval '1 day' else interval '0' end as local_end,
        required_seconds,
        break_seconds,
        basis
    from shifts

),

-- Each end goes to UTC by itself: a night in which the clocks change has an hour more or less.
placed as (

    select
        local_shifts.employee_number,
        local_shifts.shift_date,
        {{ local_instant('local_shifts.local_start', 'site') }} as shift_start,
        {{ local_instant('local_shifts.local_end', 'site') }} as shift_end,
        local_shifts.required_seconds,
        local_shifts.break_seconds,
        local_shifts.basis
    from local_shifts
    cross join site

)

select
    placed.employee_number as agent_key,
    placed.shift_date,
    placed.shift_start,
    placed.shift_end,
    -- A published shift requires the seconds that pass in it, without its breaks.
    case
        when placed.basis = 'published'
            then extract(epoch from placed.shift_end - placed.shift_start)::bigint - placed.break_seconds
        else placed.required_seconds
    end as required_seconds,
    placed.basis,
    coalesce(leave_days.is_full_day, false) as is_on_leave,
    leave_days.leave_date is not null and not leave_days.is_full_day as is_on_half_leave,
    leave_days.is_paid as is_leave_paid,
    coalesce(parameters.shift_day_mode = 'split', false) as is_split
from placed
inner join parameters
    on placed.shift_date between parameters.valid_from and parameters.valid_to
left join leave_days
    on
        placed.employee_number = leave_days.employee_number
        and placed.shift_date = leave_days.leave_date
