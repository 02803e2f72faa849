{#- A sign-in ends with the last call that began on the day after it at the latest; a call is of the day it began. -#}
{{ moves(
    'date', counts={
        'int_agent_session': 'business_date', 'fct_agent_state': 'business_date', 'fct_segment': 'conversation_date',
        'fct_attendance': 'business_date', 'int_shift': 'shift_date'
    }, dates=['business_date'], whole='month', margin=3, clock='days'
) }}

with sessions as (

    select * from {{ ref('int_agent_session') }}

),

states as (

    select * from {{ ref('fct_agent_state') }}

),

segments as (

    select * from {{ ref('fct_segment') }}

),

attendance as (

    select * from {{ ref('fct_attendance') }}

),

shifts as (

    select * from {{ ref('int_shift') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

events as (

    select
        agent_key,
        signed_in_at as started_at,
        signed_out_at as ended_at,
        business_date,
        'session' as event_kind,
        null as scope,
        0 as place
    from sessions

    union all

    select
        agent_key,
        date_trunc('second', assigned_at) as started_at,
        date_trunc('second', ended_at) as ended_at,
        business_date,
        case when talk_seconds is null then 'untimed' else 'talk' end as event_kind,
        null as scope,
        1 as place
    from segments
    where channel = 'voice' and is_effective

    union all

    select
        agent_key,
        date_trunc('second', started_at) as started_at,
        date_trunc('second', ended_at) as ended_at,
        business_date,
        case when state in ('automatic', 'unspecified') then 'other' else state end as event_kind,
        scope,
        1 as place
    from states

),

-- Sign-ins of one person do not overlap, so the last one that has begun is the one an event can lie in.
placed as (

    select
        *,
        max(started_at) filter (where event_kind = 'session') over (
            partition by agent_key
            order by started_at, place
            rows between unbounded preceding and current row
        ) as signed_in_at
    from events

),

-- A pause that nothing ended lasts as long as the sign-in, as a call too long to be true does at most; any other call
-- counts in full, and without a sign-in too.
within as (

    select
        placed.agent_key,
        placed.event_kind,
        placed.scope,
        coalesce(sessions.business_date, placed.business_date) as business_date,
        sessions.queue_count,
        tstzrange(
            placed.started_at,
            case
                when placed.event_kind in ('session', 'talk') then placed.ended_at
                when placed.ended_at < sessions.signed_out_at then placed.ended_at
                else sessions.signed_out_at
            end
        ) as stretch
    from placed
    left join sessions
        on
            placed.agent_key = sessions.agent_key
            and placed.signed_in_at = sessions.signed_in_at
            and placed.started_at < sessions.signed_out_at
    where sessions.agent_key is not null or placed.event_kind = 'talk'

),

-- A pause of one queue leaves its member ready for the others: only time in which every queue is paused is a pause.
paused_queues as (

    select
        agent_key,
        business_date,
        queue_count,
        range_agg(stretch) as stretches
    from within
    where scope <> 'all'
    group by agent_key, business_date, queue_count, scope

),

paused_wholly as (

    select
        agent_key,
        business_date,
        range_intersect_agg(stretches) as stretches
    from paused_queues
    group by agent_key, business_date, queue_count
    having count(*) >= queue_count

),

counted as (

    select
        within.agent_key,
        within.business_date,
        within.event_kind,
        case
            when coalesce(within.scope, 'all') = 'all' then tstzmultirange(within.stretch)
            else tstzmultirange(within.stretch) * paused_wholly.stretches
        end as stretches,
        lower(within.stretch) + make_interval(secs => limits.acw_cap_seconds) as capped_at
    from within
    cross join site
    {{ limits_of('lower(within.stretch)', 'site') }}
    left join paused_wholly
        on
            within.agent_key = paused_wholly.agent_key
            and within.business_date = paused_wholly.business_date

),

merged as materialized (

    select
        agent_key,
        business_date,
        range_agg(stretches) filter (where event_kind in ('session', 'talk')) as signed_in_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'talk'), '{}') as talk_time,
        coalesce(
            range_agg(stretches * tstzmultirange(tstzrange(null, capped_at))) filter (where event_kind = 'acw'), '{}'
        ) as acw_time,
        coalesce(
            range_agg(stretches * tstzmultirange(tstzrange(capped_at, null))) filter (where event_kind = 'acw'), '{}'
        ) as acw_excess_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'break'), '{}') as break_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'meeting'), '{}') as meeting_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'training'), '{}') as training_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'outbound'), '{}') as outbound_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'other'), '{}') as other_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'unmapped'), '{}') as unmapped_time,
        coalesce(range_agg(stretches) filter (where event_kind = 'untimed'), '{}') as untimed_time
    from counted
    group by agent_key, business_date

),

-- Every second of a sign-in is one thing: of two at once the one that is named first here.
-- Materialized, so that the planner does not work every stretch out again for each of its sums.
parted as materialized (

    select
        agent_key,
        business_date,
        signed_in_time,
        talk_time,
        acw_time - talk_time as acw_time,
        acw_excess_time - (talk_time + acw_time) as acw_excess_time,
        break_time - (talk_time + acw_time + acw_excess_time) as break_time,
        meeting_time - (talk_time + acw_time + acw_excess_time + break_time) as meeting_time,
        training_time - (talk_time + acw_time + acw_excess_time + break_time + meeting_time) as training_time,
        outbound_time
        - (talk_time + acw_time + acw_excess_time + break_time + meeting_time + training_time) as outbound_time,
        other_time - (
            talk_time + acw_time + acw_excess_time + break_time + meeting_time + training_time + outbound_time
        ) as other_time,
        unmapped_time - (
            talk_time + acw_time + acw_excess_time + break_time + meeting_time + training_time + outbound_time
            + other_time
        ) as unmapped_time,
        untimed_time - (
            talk_time + acw_time + acw_excess_time + break_time + meeting_time + training_time + outbound_time
            + other_time + unmapped_time
        ) as untimed_time,
        signed_in_time - (
            talk_time + acw_time + acw_excess_time + break_time + meeting_time + training_time + outbound_time
            + other_time + unmapped_time + untimed_time
        ) as ready_time
    from merged

),

shift_times as (

    select
        agent_key,
        shift_date,
        tstzmultirange(tstzrange(shift_start, shift_end)) as shift_time,
        extract(epoch from shift_end - shift_start)::bigint - required_seconds as allowance_seconds,
        shift_end <= '{{ var("as_of") }}'::timestamptz as is_over
    from shifts

),

-- Where work after midnight belongs to the calendar day, a sign-in is cut there; else all of it has one date.
dated as (

    select
        parted.*,
        coalesce(cut.business_date, parted.business_date) as counted_on,
        coalesce(cut.day_time, '{(,)}') as day_time
    from parted
    cross join site
    left join parameters
        on parted.business_date between parameters.valid_from and parameters.valid_to
    left join lateral (
        select
            stretch.local_day::date as business_date,
            tstzmultirange(
                tstzrange(
                    {{ local_instant('(stretch.local_day + site.day_cutover)', 'site') }},
                    {{ local_instant("(stretch.local_day + interval '1 day' + site.day_cutover)", 'site') }}
                )
            ) as day_time
        from
            generate_series(
                {{ local_date('lower(parted.signed_in_time)', 'site') }}::timestamp,
                {{ local_date('upper(parted.signed_in_time)', 'site') }}::timestamp,
                interval '1 day'
            ) as stretch (local_day)
        where parameters.shift_day_mode = 'split'
    ) as cut on true
    where coalesce(cut.day_time * parted.signed_in_time, parted.signed_in_time) <> '{}'

),

measured as (

    select
        agent_key,
        counted_on as business_date,
        min(lower(signed_in_time * day_time)) as first_signed_in_at,
        max(upper(signed_in_time * day_time)) as last_signed_out_at,
        sum({{ covered_seconds('signed_in_time * day_time') }})::bigint as signed_in_seconds,
        sum({{ covered_seconds('talk_time * day_time') }})::bigint as talk_seconds,
        sum({{ covered_seconds('acw_time * day_time') }})::bigint as acw_seconds,
        sum({{ covered_seconds('acw_excess_time * day_time') }})::bigint as acw_excess_seconds,
        sum({{ covered_seconds('ready_time * day_time') }})::bigint as ready_seconds,
        sum({{ covered_seconds('break_time * day_time') }})::bigint as break_seconds,
        sum({{ covered_seconds('meeting_time * day_time') }})::bigint as meeting_seconds,
        sum({{ covered_seconds('training_time * day_time') }})::bigint as training_seconds,
        sum({{ covered_seconds('outbound_time * day_time') }})::bigint as outbound_seconds,
        sum({{ covered_seconds('other_time * day_time') }})::bigint as other_seconds,
        sum({{ covered_seconds('unmapped_time * day_time') }})::bigint as unmapped_seconds,
        sum({{ covered_seconds('untimed_time * day_time') }})::bigint as untimed_seconds
    from dated
    group by agent_key, counted_on

),

-- What is set against a shift stays with the shift's date: a roster knows no other.
measured_shift as (

    select
        parted.agent_key,
        parted.business_date,
        {{ covered_seconds('parted.signed_in_time * shift_times.shift_time') }} as signed_in_shift_seconds,
        {{ covered_seconds('parted.break_time * shift_times.shift_time') }} as break_shift_seconds,
        {{ covered_seconds('parted.other_time * shift_times.shift_time') }} as other_shift_seconds,
        {{ covered_seconds('parted.acw_excess_time * shift_times.shift_time') }} as acw_excess_shift_seconds,
        shift_times.allowance_seconds
    from parted
    left join shift_times
        on parted.agent_key = shift_times.agent_key and parted.business_date = shift_times.shift_date

),

-- Who signs in to a telephone system at all in a month is expected there on the rostered days of it.
signing_months as (

    select
        agent_key,
        date_trunc('month', business_date) as month_start
    from sessions
    where signed_in_at < '{{ var("as_of") }}'::timestamptz
    group by agent_key, date_trunc('month', business_date)

),

rostered as (

    select
        attendance.agent_key,
        attendance.business_date,
        attendance.required_seconds,
        attendance.attended_seconds,
        attendance.is_on_leave,
        attendance.paid_seconds,
        -- Who attended and never signed in worked elsewhere, in the chats: the telephone cannot tell how well.
        signing_months.agent_key is not null and coalesce(attendance.attended_seconds = 0, false) as is_missed
    from attendance
    inner join shift_times
        on attendance.agent_key = shift_times.agent_key and attendance.business_date = shift_times.shift_date
    left join signing_months
        on
            attendance.agent_key = signing_months.agent_key
            and date_trunc('month', attendance.business_date) = signing_months.month_start
    where shift_times.is_over

),

combined as (

    select
        coalesce(measured.agent_key, rostered.agent_key) as agent_key,
        coalesce(measured.business_date, rostered.business_date) as business_date,
        measured.first_signed_in_at,
        measured.last_signed_out_at,
        coalesce(measured.signed_in_seconds, 0) as signed_in_seconds,
        coalesce(measured.talk_seconds, 0) as talk_seconds,
        coalesce(measured.acw_seconds, 0) as acw_seconds,
        coalesce(measured.acw_excess_seconds, 0) as acw_excess_seconds,
        coalesce(measured.ready_seconds, 0) as ready_seconds,
        coalesce(measured.break_seconds, 0) as break_seconds,
        coalesce(measured.meeting_seconds, 0) as meeting_seconds,
        coalesce(measured.training_seconds, 0) as training_seconds,
        coalesce(measured.outbound_seconds, 0) as outbound_seconds,
        coalesce(measured.other_seconds, 0) as other_seconds,
        coalesce(measured.unmapped_seconds, 0) as unmapped_seconds,
        coalesce(measured.untimed_seconds, 0) as untimed_seconds,
        measured.agent_key is not null as has_sign_in,
        case
            when not rostered.is_on_leave and (measured_shift.agent_key is not null or rostered.is_missed)
                then rostered.required_seconds
        end as scheduled_seconds,
        coalesce(
            measured_shift.signed_in_shift_seconds
            - measured_shift.break_shift_seconds
            - measured_shift.other_shift_seconds,
            0
        ) as present_in_shift_seconds,
        coalesce(measured_shift.other_shift_seconds + measured_shift.acw_excess_shift_seconds, 0)
        + greatest(
            coalesce(measured_shift.break_shift_seconds - measured_shift.allowance_seconds, 0), 0
        ) as aux_seconds,
        rostered.is_on_leave,
        rostered.attended_seconds,
        rostered.paid_seconds
    from measured
    full join rostered
        on measured.agent_key = rostered.agent_key and measured.business_date = rostered.business_date
    left join measured_shift
        on
            coalesce(measured.agent_key, rostered.agent_key) = measured_shift.agent_key
            and coalesce(measured.business_date, rostered.business_date) = measured_shift.business_date

)

select
    combined.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    'voice' as channel,
    combined.first_signed_in_at,
    combined.last_signed_out_at,
    combined.signed_in_seconds,
    combined.talk_seconds,
    combined.acw_seconds,
    combined.acw_excess_seconds,
    combined.ready_seconds,
    combined.break_seconds,
    combined.meeting_seconds,
    combined.training_seconds,
    combined.outbound_seconds,
    combined.other_seconds,
    combined.unmapped_seconds,
    combined.untimed_seconds,
    combined.has_sign_in,
    combined.scheduled_seconds,
    combined.signed_in_seconds - combined.break_seconds - combined.other_seconds as present_seconds,
    case
        when combined.scheduled_seconds is not null
            then least(combined.present_in_shift_seconds, combined.scheduled_seconds)
    end as adherent_seconds,
    case
        when combined.scheduled_seconds is not null and combined.has_sign_in then combined.aux_seconds
    end as counted_aux_seconds,
    case
        when combined.scheduled_seconds is not null and combined.has_sign_in
            then greatest(combined.scheduled_seconds - combined.aux_seconds, 0)
    end as efficient_seconds,
    combined.paid_seconds,
    case
        when combined.paid_seconds is null then null
        when combined.is_on_leave then 0
        else greatest(
            combined.attended_seconds - combined.meeting_seconds - combined.training_seconds - combined.other_seconds
            - combined.acw_excess_seconds,
            0
        )
    end as available_seconds,
    combined.business_date
from combined
left join teams
    on
        combined.agent_key = teams.agent_key
        and combined.business_date between teams.valid_from and teams.valid_to
