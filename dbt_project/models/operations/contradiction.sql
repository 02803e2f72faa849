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

site as (

    select * from {{ ref('stg_cfg__site') }}

),

forgotten as (

    select
        'forgotten_clock_out' as rule_id,
        'hr' as owner_role,
        punches.agent_key,
        punches.attendance_date as business_date,
        'in ' || punches.in_at as left_side,
        'no clock-out' as right_side,
        '忘记签退：当天出勤不计入，待人事更正' as description_zh,
        'Forgotten clock-out: the day is left out of attendance until HR corrects it' as description_en
    from punches
    where punches.out_at is null

),

endless as (

    select
        'attendance_too_long' as rule_id,
        'hr' as owner_role,
        punches.agent_key,
        punches.attendance_date as business_date,
        'in ' || punches.in_at as left_side,
        'out ' || punches.out_at as right_side,
        '单次出勤超过上限：当天出勤不计入' as description_zh,
        'Attendance longer than the limit: the day is left out' as description_en
    from punches
    cross join site
    where punches.out_at - punches.in_at > site.longest_attendance

),

on_leave as (

    select
        'worked_on_leave' as rule_id,
        'team_lead' as owner_role,
        shifts.agent_key,
        shifts.shift_date as business_date,
        'approved leave' as left_side,
        count(*) || ' conversations handled' as right_side,
        '人事显示休假，但通话或在线系统显示在工作' as description_zh,
        'HR says on leave while the telephone or chat shows work' as description_en
    from shifts
    inner join segments
        on shifts.agent_key = segments.agent_key and shifts.shift_date = segments.business_date
    where shifts.is_on_leave
    group by shifts.agent_key, shifts.shift_date

),

unrostered as (

    select
        'work_without_attendance' as rule_id,
        'team_lead' as owner_role,
        segments.agent_key,
        segments.business_date,
        'no attendance and no shift' as left_side,
        count(*) || ' conversations handled' as right_side,
        '有服务记录但没有考勤记录' as description_zh,
        'Conversations were handled on a day without any attendance record' as description_en
    from segments
    left join shifts
        on segments.agent_key = shifts.agent_key and segments.business_date = shifts.shift_date
    where segments.is_effective and shifts.agent_key is null
    group by segments.agent_key, segments.business_date

),

unmapped as (

    select
        'unmapped_account' as rule_id,
        'data_engineer' as owner_role,
        segments.agent_key,
        segments.business_date,
        segments.agent_key as left_side,
        'no identity' as right_side,
        '账号未对应到员工' as description_zh,
        'An account is not mapped to a person' as description_en
    from segments
    where segments.agent_key like 'unmapped:%'
    group by segments.agent_key, segments.business_date

),

unknown_states as (

    select
        'unmapped_pause_reason' as rule_id,
        'data_engineer' as owner_role,
        states.agent_key,
        states.business_date,
        coalesce(states.reason, 'no reason') as left_side,
        count(*) || ' states' as right_side,
        '暂停原因未映射：只提醒，不扣分' as description_zh,
        'A pause reason is not mapped: an alert, never a penalty' as description_en
    from states
    where states.state in ('unmapped', 'unspecified')
    group by states.agent_key, states.business_date, states.reason

),

open_visits as (

    select
        'queue_visit_without_end' as rule_id,
        'data_engineer' as owner_role,
        null::text as agent_key,
        visits.business_date,
        visits.queue_visit_key as left_side,
        'no end recorded' as right_side,
        '排队记录没有结束事件：不计入排队指标' as description_zh,
        'A queue visit has no end: it is left out of the queue metrics' as description_en
    from visits
    where visits.outcome = 'open'

),

final as (

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

)

select
    rule_id::text as rule_id,
    owner_role::text as owner_role,
    agent_key::text as agent_key,
    business_date::date as business_date,
    left_side::text as left_side,
    right_side::text as right_side,
    description_zh::text as description_zh,
    description_en::text as description_en
from final
