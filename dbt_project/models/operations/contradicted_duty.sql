with punches as (

    select * from {{ ref('int_attendance') }}

),

shifts as (

    select * from {{ ref('int_shift') }}

),

segments as (

    select * from {{ ref('fct_segment') }}

),

closings as (

    select * from {{ ref('int_closing') }}

),

identities as (

    select * from {{ ref('int_identity') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

sign_ins as (

    select
        agent_key,
        business_date,
        sum(extract(epoch from signed_out_at - signed_in_at)) as signed_in_seconds
    from {{ ref('int_agent_session') }}
    group by agent_key, business_date

),

work as (

    select
        agent_key,
        business_date,
        count(*) as conversation_count
    from segments
    where is_effective
    group by agent_key, business_date

),

clocked as (

    select
        agent_key,
        attendance_date,
        count(*) as punch_count
    from punches
    group by agent_key, attendance_date

),

-- Days on which attendance was recorded at all: a day nobody clocked in on says nothing about anybody.
recorded as (

    select attendance_date
    from clocked
    group by attendance_date

),

at_leave as (

    select
        'attendance_on_leave' as rule_id,
        shifts.agent_key,
        shifts.shift_date as business_date,
        'approved leave' as left_side,
        clocked.punch_count || ' clock-ins' as right_side
    from shifts
    inner join clocked
        on shifts.agent_key = clocked.agent_key and shifts.shift_date = clocked.attendance_date
    where shifts.is_on_leave

),

absent as (

    select
        'worked_while_absent' as rule_id,
        shifts.agent_key,
        shifts.shift_date as business_date,
        'rostered, no clock-in' as left_side,
        work.conversation_count || ' conversations handled' as right_side
    from shifts
    inner join recorded
        on shifts.shift_date = recorded.attendance_date
    inner join work
        on shifts.agent_key = work.agent_key and shifts.shift_date = work.business_date
    left join clocked
        on shifts.agent_key = clocked.agent_key and shifts.shift_date = clocked.attendance_date
    where not shifts.is_on_leave and clocked.agent_key is null

),

signed_in as (

    select
        'sign_in_without_attendance' as rule_id,
        sign_ins.agent_key,
        sign_ins.business_date,
        round(sign_ins.signed_in_seconds / 60) || ' minutes signed in to the telephone' as left_side,
        'no clock-in' as right_side
    from sign_ins
    inner join recorded
        on sign_ins.business_date = recorded.attendance_date
    left join clocked
        on sign_ins.agent_key = clocked.agent_key and sign_ins.business_date = clocked.attendance_date
    left join work
        on sign_ins.agent_key = work.agent_key and sign_ins.business_date = work.business_date
    where
        sign_ins.signed_in_seconds > 0
        and sign_ins.agent_key not like 'unmapped:%'
        and clocked.agent_key is null
        -- Handled conversations without attendance are a row of another rule already.
        and work.agent_key is null

),

closers as (

    select
        closings.source_id,
        closings.conversation_id,
        closings.closed_at,
        identities.agent_key,
        {{ local_date('closings.closed_at', 'site') }} as local_date
    from closings
    cross join site
    inner join identities
        on
            closings.source_id = identities.source_id
            and closings.agent_account = identities.account
            and closings.closed_at >= identities.held_from
            and closings.closed_at < identities.held_until

),

-- Somebody without any shift in the weeks around has no known roster, so nobody can say that they were off duty. A day
-- of approved leave is no duty, half a day is.
rostered as (

    select
        closers.source_id,
        closers.conversation_id,
        closers.closed_at,
        closers.agent_key,
        closers.local_date,
        bool_or(
            not shifts.is_on_leave
            and closers.closed_at
            between shifts.shift_start - site.shift_margin and shifts.shift_end + site.shift_margin
        ) as is_on_duty
    from closers
    cross join site
    inner join shifts
        on
            closers.agent_key = shifts.agent_key
            and shifts.shift_date between closers.local_date - 14 and closers.local_date + 14
    group by
        closers.source_id, closers.conversation_id, closers.closed_at, closers.agent_key, closers.local_date

),

off_duty as (

    select
        'closed_off_duty' as rule_id,
        rostered.agent_key,
        rostered.local_date as business_date,
        'closed ' || rostered.source_id || ':' || rostered.conversation_id || ' at '
        || to_char(rostered.closed_at at time zone site.time_zone, 'HH24:MI') as left_side,
        'outside every shift, or on leave' as right_side
    from rostered
    cross join site
    where not rostered.is_on_duty

),

final as (

    select * from at_leave
    union all
    select * from absent
    union all
    select * from signed_in
    union all
    select * from off_duty

)

select
    rule_id::text as rule_id,
    agent_key::text as agent_key,
    business_date::date as business_date,
    left_side::text as left_side,
    right_side::text as right_side
from final
