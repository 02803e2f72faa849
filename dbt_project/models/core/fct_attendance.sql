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

)

select
    required.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    required.basis as roster_basis,
    required.is_on_leave,
    attended.is_contradicted,
    -- A shift that is not over at the instant of the clocks has not been missed yet.
    not required.is_on_leave
    and not attended.is_contradicted
    and required.is_over as is_counted,
    required.required_seconds,
    case
        when not attended.is_contradicted
            then least({{ covered_seconds('attended.attended_ranges') }}, required.required_seconds)
    end as attended_seconds,
    attended.punch_count,
    -- With half a day of leave nobody can tell from the shift when the other half begins.
    case
        when not attended.is_contradicted and not required.is_on_leave and not required.is_on_half_leave
            then attended.first_in_at > required.shift_start
    end as is_late,
    case
        when
            not attended.is_contradicted and not required.is_on_leave and not required.is_on_half_leave
            and required.is_over
            then attended.last_out_at < required.shift_end
    end as is_early_leave,
    case
        when
            not attended.is_contradicted and not required.is_on_leave and not required.is_on_half_leave
            and attended.first_in_at is not null
            then greatest(extract(epoch from attended.first_in_at - required.shift_start), 0)::bigint
    end as late_seconds,
    case when not attended.is_contradicted and required.is_over then required.paid_seconds end as paid_seconds,
    required.shift_date as business_date
from required
inner join attended
    on required.agent_key = attended.agent_key and required.shift_date = attended.shift_date
left join teams
    on
        required.agent_key = teams.agent_key
        and required.shift_date between teams.valid_from and teams.valid_to
