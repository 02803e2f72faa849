{{ moves(
    'date', counts={'int_shift': 'shift_date', 'int_attendance': 'attendance_date'}, dates=['business_date'],
    clock='days'
) }}

with shifts as (

    select * from {{ ref('int_shift') }}
    where required_seconds > 0

),

punches as (

    select * from {{ ref('int_attendance') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

employments as (

    {{ employments() }}

),

disputed as (

    select row_key
    from {{ ref('int_row_exclusion') }}
    where row_kind = 'attendance'

),

attended as (

    select
        shifts.agent_key,
        shifts.shift_date,
        min(punches.in_at) as first_in_at,
        max(punches.out_at) as last_out_at,
        count(punches.punch_id) as punch_count,
        coalesce(
            bool_or(
                punches.punch_id is not null
                and (punches.out_at is null or punches.out_at - punches.in_at > site.longest_attendance)
            ),
            false
        ) as is_contradicted,
        -- Two systems may know of the same hours, and somebody may clock in twice: they were attended once.
        range_agg(tstzrange(punches.in_at, punches.out_at)) filter (where punches.out_at > punches.in_at)
        * tstzmultirange(tstzrange(shifts.shift_start, shifts.shift_end)) as attended_ranges
    from shifts
    cross join site
    left join punches
        on shifts.agent_key = punches.agent_key and shifts.shift_date = punches.attendance_date
    group by shifts.agent_key, shifts.shift_date, shifts.shift_start, shifts.shift_end

),

required as (

    select
        agent_key,
        agent_key || ':' || shift_date as attendance_key,
        shift_date,
        basis,
        shift_start,
        shift_end,
        is_on_leave,
        is_on_half_leave,
        shift_end <= '{{ var("as_of") }}'::timestamptz as is_over,
        case when is_on_half_leave then required_seconds / 2 else required_seconds end as required_seconds,
        -- Leave that nobody calls paid is no paid time.
        case
            when not is_on_leave and not is_on_half_leave then required_seconds
            when is_leave_paid then required_seconds
            when is_on_half_leave then required_seconds / 2
        end as paid_seconds
    from shifts

),

known as (

    select
        required.*,
        attended.first_in_at,
        attended.last_out_at,
        attended.punch_count,
        attended.attended_ranges,
        attended.is_contradicted,
        disputed.row_key is not null as is_disputed,
        -- Rosters are published before somebody is known to leave.
        required.shift_date between coalesce(employments.hire_date, '-infinity')
        and coalesce(employments.exit_date, 'infinity') as is_employed
    from required
    inner join attended
        on required.agent_key = attended.agent_key and required.shift_date = attended.shift_date
    left join disputed
        on required.attendance_key = disputed.row_key
    left join employments
        on required.agent_key = employments.agent_key

),

-- What a contradiction or a dispute took away tells nothing about the day, nor does a roster of somebody who is gone.
told as (

    select
        *,
        is_employed and not is_contradicted and not is_disputed as is_told
    from known

)

select
    told.attendance_key,
    told.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    told.basis as roster_basis,
    told.is_on_leave,
    told.is_employed,
    told.is_contradicted,
    told.is_disputed,
    -- A shift that is not over at the instant of the clocks has not been missed yet.
    told.is_told and not told.is_on_leave and told.is_over as is_counted,
    told.required_seconds,
    case
        when told.is_told then least({{ covered_seconds('told.attended_ranges') }}, told.required_seconds)
    end as attended_seconds,
    told.punch_count,
    -- With half a day of leave nobody can tell from the shift when the other half begins.
    case
        when told.is_told and not told.is_on_leave and not told.is_on_half_leave
            then told.first_in_at > told.shift_start
    end as is_late,
    case
        when told.is_told and not told.is_on_leave and not told.is_on_half_leave and told.is_over
            then told.last_out_at < told.shift_end
    end as is_early_leave,
    case
        when
            told.is_told and not told.is_on_leave and not told.is_on_half_leave and told.first_in_at is not null
            then greatest(extract(epoch from told.first_in_at - told.shift_start), 0)::bigint
    end as late_seconds,
    case when told.is_told and told.is_over then told.paid_seconds end as paid_seconds,
    told.shift_date as business_date
from told
left join teams
    on
        told.agent_key = teams.agent_key
        and told.shift_date between teams.valid_from and teams.valid_to
