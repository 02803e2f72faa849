{{ moves(dates=['business_date']) }}

with stays as (

    select * from {{ ref('int_asterisk__agent_session') }}

),

calls as (

    select
        source_id,
        agent_account,
        date_trunc('second', assigned_at) as started_at,
        -- Of a call that is too long to be true only the begin is believed.
        case when talk_seconds is not null then date_trunc('second', ended_at) end as ended_at
    from {{ ref('int_segment') }}
    where is_effective

),

states as (

    select
        source_id,
        agent_account,
        date_trunc('second', started_at) as started_at
    from {{ ref('int_agent_state') }}

),

identities as (

    select * from {{ ref('int_identity') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

shifts as (

    select * from {{ ref('int_shift') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- Which of the states of a system belong to whom; only accounts that sign in somewhere matter here.
accounts as (

    select
        source_id,
        agent_account
    from stays
    group by source_id, agent_account

),

signed_in as (

    select
        stays.source_id,
        stays.agent_account,
        stays.event_number,
        stays.queue_name,
        stays.signed_in_at,
        stays.signed_out_at,
        coalesce(identities.agent_key, 'unmapped:' || stays.source_id || ':' || stays.agent_account) as agent_key
    from stays
    cross join site
    left join identities
        on
            stays.source_id = identities.source_id
            and stays.agent_account = identities.account
            and stays.signed_in_at >= identities.held_from
            and stays.signed_in_at < identities.held_until

),

events as (

    select
        source_id,
        agent_account,
        started_at,
        ended_at
    from calls

    union all

    select
        source_id,
        agent_account,
        started_at,
        null as ended_at
    from states

    union all

    select
        source_id,
        agent_account,
        signed_in_at as started_at,
        null as ended_at
    from stays

),

-- What a person did, by local date: windows look for it on two dates at most.
deeds as (

    select
        coalesce(identities.agent_key, 'unmapped:' || events.source_id || ':' || events.agent_account) as agent_key,
        {{ local_date('events.started_at', 'site') }} as local_date,
        events.started_at,
        events.ended_at
    from events
    inner join accounts
        on events.source_id = accounts.source_id and events.agent_account = accounts.agent_account
    cross join site
    left join identities
        on
            events.source_id = identities.source_id
            and events.agent_account = identities.account
            and events.started_at >= identities.held_from
            and events.started_at < identities.held_until

),

-- The stretch of time whose sign-ins belong to a shift: the shift with its margin, up to the neighbours' own time.
rostered as (

    select
        shifts.agent_key,
        shifts.shift_date,
        shifts.shift_end + make_interval(mins => parameters.forgotten_logout_minutes::integer) as cut_at,
        greatest(
            shifts.shift_start - site.shift_margin,
            least(
                lag(shifts.shift_end, 1, '-infinity') over of_agent + site.shift_margin,
                shifts.shift_start
            )
        ) as window_start,
        least(
            shifts.shift_end + site.shift_margin, lead(shifts.shift_start, 1, 'infinity') over of_agent
        ) as window_end
    from shifts
    cross join site
    inner join parameters
        on shifts.shift_date between parameters.valid_from and parameters.valid_to
    window of_agent as (partition by shifts.agent_key order by shifts.shift_start)

),

rostered_until as (

    select
        *,
        lead(window_start, 1, 'infinity') over (partition by agent_key order by window_start) as next_window_start
    from rostered

),

-- A sign-in outside every shift opens a window of its own.
unrostered as (

    select
        signed_in.agent_key,
        signed_in.signed_in_at as window_start,
        least(
            signed_in.signed_in_at + site.longest_attendance,
            min(later.window_start)
        ) as window_end
    from signed_in
    cross join site
    left join rostered_until as around
        on
            signed_in.agent_key = around.agent_key
            and signed_in.signed_in_at >= around.window_start
            and signed_in.signed_in_at < around.next_window_start
            and signed_in.signed_in_at <= around.window_end
    left join rostered_until as later
        on
            signed_in.agent_key = later.agent_key
            and signed_in.signed_in_at < later.window_start
    where around.agent_key is null
    group by signed_in.agent_key, signed_in.signed_in_at, site.longest_attendance

),

spans as (

    select
        agent_key,
        shift_date,
        window_start,
        window_end,
        next_window_start,
        cut_at
    from rostered_until

    union all

    select
        unrostered.agent_key,
        null as shift_date,
        unrostered.window_start,
        unrostered.window_end,
        unrostered.window_end as next_window_start,
        unrostered.window_start as cut_at
    from unrostered

),

-- Each stay with the windows it reaches. Most end by hand within the one they began in and need no look further.
matched as (

    select
        signed_in.agent_key,
        signed_in.source_id,
        signed_in.queue_name,
        signed_in.signed_in_at,
        signed_in.signed_out_at,
        spans.shift_date,
        spans.window_start,
        spans.window_end,
        spans.next_window_start,
        spans.cut_at,
        coalesce(
            spans.shift_date is null
            and signed_in.signed_out_at - signed_in.signed_in_at <= site.longest_attendance, false
        ) as is_ended_by_hand,
        signed_in.signed_in_at < spans.window_start
        or coalesce(signed_in.signed_out_at > spans.cut_at, true) as needs_deeds
    from signed_in
    cross join site
    inner join spans
        on
            signed_in.agent_key = spans.agent_key
            and signed_in.signed_in_at < spans.next_window_start
            and signed_in.signed_in_at <= spans.window_end
            and (
                signed_in.signed_in_at >= spans.window_start
                or spans.shift_date is not null
                and coalesce(signed_in.signed_out_at > spans.window_start, true)
            )

),

dated_windows as (

    select
        looked_up.agent_key,
        looked_up.window_start,
        looked_up.window_end,
        looked_up.next_window_start,
        looked_at.local_date
    from (
        select
            agent_key,
            window_start,
            window_end,
            next_window_start
        from matched
        where needs_deeds
        group by agent_key, window_start, window_end, next_window_start
    ) as looked_up
    cross join site
    cross join lateral (
        values
        ({{ local_date('looked_up.window_start', 'site') }}),
        ({{ local_date('looked_up.window_start', 'site') }} + 1)
    ) as looked_at (local_date)

),

-- Of each window: the first thing done in it, and the end of the last call that began in it or after it.
done as (

    select
        dated_windows.agent_key,
        dated_windows.window_start,
        min(deeds.started_at) filter (where deeds.started_at <= dated_windows.window_end) as first_deed_at,
        max(deeds.ended_at) as last_call_ended_at
    from dated_windows
    inner join deeds
        on
            dated_windows.agent_key = deeds.agent_key
            and dated_windows.local_date = deeds.local_date
            and dated_windows.window_start <= deeds.started_at
            and dated_windows.next_window_start > deeds.started_at
    group by dated_windows.agent_key, dated_windows.window_start

),

-- One piece for each stay and window. A stay that began before the window counts from the first thing done in it.
pieces as (

    select
        matched.agent_key,
        matched.source_id,
        matched.queue_name,
        matched.shift_date,
        matched.next_window_start,
        case
            when matched.signed_in_at >= matched.window_start then matched.signed_in_at
            else done.first_deed_at
        end as signed_in_at,
        matched.signed_out_at,
        matched.is_ended_by_hand,
        case
            when done.last_call_ended_at > matched.cut_at then done.last_call_ended_at
            -- Who is signed in still has been so until the instant that is looked from.
            when matched.signed_out_at is null and matched.cut_at > '{{ var("as_of") }}'::timestamptz
                then '{{ var("as_of") }}'::timestamptz
            else matched.cut_at
        end as cut_at
    from matched
    left join done
        on matched.agent_key = done.agent_key and matched.window_start = done.window_start

),

-- A log-out counts when it comes before the cut; without a shift, when it comes within the longest attendance.
cut as (

    select
        agent_key,
        source_id,
        queue_name,
        shift_date,
        signed_in_at,
        case
            when signed_out_at <= cut_at or is_ended_by_hand then least(signed_out_at, next_window_start)
            else least(cut_at, next_window_start)
        end as signed_out_at,
        not coalesce(signed_out_at <= cut_at or is_ended_by_hand, false)
        and cut_at < '{{ var("as_of") }}'::timestamptz as is_cut
    from pieces

),

kept as (

    select
        cut.agent_key,
        cut.source_id,
        cut.queue_name,
        cut.signed_in_at,
        cut.signed_out_at,
        cut.is_cut,
        coalesce(cut.shift_date, {{ local_date('cut.signed_in_at', 'site') }}) as business_date
    from cut
    cross join site
    where cut.signed_out_at > cut.signed_in_at

),

queues as (

    select
        agent_key,
        business_date,
        count(*) as queue_count
    from (
        select
            agent_key,
            business_date
        from kept
        group by agent_key, business_date, source_id, queue_name
    ) as named
    group by agent_key, business_date

),

cuts as (

    select
        agent_key,
        business_date,
        signed_out_at
    from kept
    where is_cut
    group by agent_key, business_date, signed_out_at

),

merged as (

    select
        agent_key,
        business_date,
        unnest(range_agg(tstzrange(signed_in_at, signed_out_at))) as stretch
    from kept
    group by agent_key, business_date

)

select
    merged.agent_key,
    merged.business_date,
    lower(merged.stretch) as signed_in_at,
    upper(merged.stretch) as signed_out_at,
    cuts.agent_key is not null as is_logout_forgotten,
    queues.queue_count
from merged
inner join queues
    on
        merged.agent_key = queues.agent_key
        and merged.business_date = queues.business_date
left join cuts
    on
        merged.agent_key = cuts.agent_key
        and merged.business_date = cuts.business_date
        and upper(merged.stretch) = cuts.signed_out_at
