with punches as (

    select * from {{ ref('int_attendance') }}

),

segments as (

    select * from {{ ref('fct_segment') }}

),

shifts as (

    select * from {{ ref('int_shift') }}

),

states as (

    select * from {{ ref('fct_agent_state') }}

),

visits as (

    select * from {{ ref('fct_queue_visit') }}

),

rosters as (

    select * from {{ ref('int_roster') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

rules as (

    select * from {{ ref('stg_cfg__contradiction_rule') }}

),

forgotten as (

    select
        'forgotten_clock_out' as rule_id,
        punches.agent_key,
        punches.attendance_date as business_date,
        'in ' || punches.in_at as left_side,
        'no clock-out' as right_side
    from punches
    where punches.out_at is null

),

endless as (

    select
        'attendance_too_long' as rule_id,
        punches.agent_key,
        punches.attendance_date as business_date,
        'in ' || punches.in_at as left_side,
        'out ' || punches.out_at as right_side
    from punches
    cross join site
    where punches.out_at - punches.in_at > site.longest_attendance

),

on_leave as (

    select
        'worked_on_leave' as rule_id,
        shifts.agent_key,
        shifts.shift_date as business_date,
        'approved leave' as left_side,
        count(*) || ' conversations handled' as right_side
    from shifts
    inner join segments
        on shifts.agent_key = segments.agent_key and shifts.shift_date = segments.business_date
    where shifts.is_on_leave
    group by shifts.agent_key, shifts.shift_date

),

unrostered as (

    select
        'work_without_attendance' as rule_id,
        segments.agent_key,
        segments.business_date,
        'no attendance and no shift' as left_side,
        count(*) || ' conversations handled' as right_side
    from segments
    left join shifts
        on segments.agent_key = shifts.agent_key and segments.business_date = shifts.shift_date
    where segments.is_effective and shifts.agent_key is null
    group by segments.agent_key, segments.business_date

),

unmapped as (

    select
        'unmapped_account' as rule_id,
        segments.agent_key,
        segments.business_date,
        segments.agent_key as left_side,
        'no identity' as right_side
    from segments
    where segments.agent_key like 'unmapped:%'
    group by segments.agent_key, segments.business_date

),

unknown_states as (

    select
        'unmapped_pause_reason' as rule_id,
        states.agent_key,
        states.business_date,
        coalesce(states.reason, 'no reason') as left_side,
        count(*) || ' states' as right_side
    from states
    where states.state in ('unmapped', 'unspecified')
    group by states.agent_key, states.business_date, states.reason

),

open_visits as (

    select
        'queue_visit_without_end' as rule_id,
        null::text as agent_key,
        visits.business_date,
        visits.queue_visit_key as left_side,
        'no end recorded' as right_side
    from visits
    where visits.outcome = 'open'

),

unmapped_queues as (

    select
        'unmapped_queue' as rule_id,
        null::text as agent_key,
        visits.business_date,
        visits.queue_key as left_side,
        count(*) || ' visits' as right_side
    from visits
    where visits.queue_key like 'unmapped:%'
    group by visits.business_date, visits.queue_key

),

rewritten as (

    select
        'roster_changed_afterwards' as rule_id,
        rosters.agent_key,
        rosters.shift_date as business_date,
        'counted: ' || rosters.plan as left_side,
        'roster now: ' || rosters.later_plan as right_side
    from rosters
    where rosters.plan <> rosters.later_plan

),

endless_calls as (

    select
        'call_too_long' as rule_id,
        segments.agent_key,
        segments.business_date,
        segments.segment_key as left_side,
        extract(epoch from segments.ended_at - segments.assigned_at)::bigint || ' seconds' as right_side
    from segments
    where segments.channel = 'voice' and segments.is_effective and segments.talk_seconds is null

),

found as (

    select * from forgotten
    union all
    select * from endless
    union all
    select * from on_leave
    union all
    select * from unrostered
    union all
    select * from unmapped
    union all
    select * from unknown_states
    union all
    select * from open_visits
    union all
    select * from unmapped_queues
    union all
    select * from rewritten
    union all
    select * from endless_calls
    union all
    select
        rule_id,
        agent_key,
        business_date,
        left_side,
        right_side
    from {{ ref('contradicted_duty') }}
    union all
    select
        rule_id,
        agent_key,
        business_date,
        left_side,
        right_side
    from {{ ref('contradicted_account') }}
    union all
    select
        rule_id,
        agent_key,
        business_date,
        left_side,
        right_side
    from {{ ref('contradicted_score') }}

)

-- A left join: a rule that nobody declared has no owner, and the column without one stops the build.
select
    found.rule_id::text as rule_id,
    rules.owner_role::text as owner_role,
    rules.severity::text as severity,
    found.agent_key::text as agent_key,
    found.business_date::date as business_date,
    found.left_side::text as left_side,
    found.right_side::text as right_side,
    rules.description_zh::text as description_zh,
    rules.description_en::text as description_en
from found
left join rules
    on found.rule_id = rules.rule_id
