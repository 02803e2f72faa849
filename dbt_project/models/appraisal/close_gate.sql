with plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

plan_metrics as (

    select * from {{ ref('stg_cfg__plan_metric') }}

),

reliability as (

    select * from {{ ref('metric_reliability') }}

),

weights as (

    select
        period_id,
        plan_id,
        agent_key,
        sum(effective_weight) as weight_sum
    from {{ ref('score_component') }}
    where is_adjusted
    group by period_id, plan_id, agent_key

),

units as (

    select unit_key
    from {{ ref('metric_value') }}
    where unit_kind = 'agent' and period_kind = 'period' and unit_key like 'unmapped:%'
    group by unit_key

),

quality as (

    select
        expectation_id,
        success,
        severity
    from {{ ref('check_result') }}

),

quarantine as (

    select quarantine_id
    from {{ source('ops', 'quarantine') }}
    where status = 'open'

),

totals as (

    select * from {{ ref('reconciliation') }}

),

defaults as (

    select (body #>> '{period, max_unmapped_aux}')::numeric as most_unmapped
    from ({{ current_config('defaults') }}) as current_defaults

),

newest as (

    select
        source_id,
        entity in ('attendance_day', 'attendance_punch') as is_attendance,
        max(newest_at) as newest_at
    from {{ ref('lateness') }}
    group by source_id, entity in ('attendance_day', 'attendance_punch')

),

-- Somebody is at work in the last open hours, so something is recorded then.
opened as (

    select max(service_start) as last_start
    from {{ ref('int_service_window') }}
    where
        is_default
        and business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date

),

scored as (

    select
        metrics.metric_id,
        metrics.metric_version
    from plan_metrics
    inner join {{ ref('stg_cfg__metric') }} as metrics
        on plan_metrics.metric_id = metrics.metric_id

),

needed as (

    select scopes.channel
    from scored
    inner join {{ ref('stg_cfg__metric_scope') }} as scopes
        on scored.metric_id = scopes.metric_id and scored.metric_version = scopes.metric_version
    where scopes.unit_kind = 'agent' and scopes.channel <> 'none'
    group by scopes.channel

),

-- Systems tell of every day. Sheets are filled when there is something to tell, but attendance is there daily.
told as (

    select
        sources.source_id,
        max(newest.newest_at) as newest_at
    from {{ ref('stg_cfg__source') }} as sources
    inner join needed
        on sources.channel = needed.channel
    left join newest
        on sources.source_id = newest.source_id
    group by sources.source_id

    union all

    select
        'attendance' as source_id,
        max(newest_at) as newest_at
    from newest
    where
        is_attendance
        and exists (
            select 1
            from scored
            inner join {{ ref('stg_cfg__metric_measure') }} as parts
                on scored.metric_id = parts.metric_id and scored.metric_version = parts.metric_version
            inner join {{ ref('stg_cfg__measure') }} as measures
                on parts.measure_id = measures.measure_id
            where measures.fact = 'attendance'
        )
    having count(*) > 0

),

arrived as (

    select
        told.source_id,
        to_char(told.newest_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') as newest_text,
        coalesce(told.newest_at >= opened.last_start, false) as is_fresh
    from told
    cross join opened

),

pauses as (

    select
        reason,
        state = 'unmapped' as is_unmapped,
        sum(state_seconds) as pause_seconds
    from {{ ref('fct_agent_state') }}
    where business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
    group by reason, state

),

gates as (

    select
        'plan_approved' as gate,
        count(*) > 0 and bool_and(approved_by is not null) as is_passed,
        '方案须由他人批准后方可结算' as detail_zh,
        'every plan must be approved by another person: '
        || coalesce(string_agg(plan_id, ', ') filter (where approved_by is null), 'all are') as detail_en
    from plans

    union all

    select
        'weights_sum_to_100' as gate,
        count(*) > 0 and bool_and(plan_sum = 100) as is_passed,
        '方案权重合计须为100' as detail_zh,
        'the weights of a plan add up to 100' as detail_en
    from (
        select sum(nominal_weight) as plan_sum from plan_metrics
        group by plan_id
    ) as sums

    union all

    select
        'effective_weights_sum_to_100' as gate,
        count(*) > 0 and bool_and(abs(weight_sum - 100) < 1e-9) as is_passed,
        '有效权重合计须为100' as detail_zh,
        'the effective weights of every agent add up to 100' as detail_en
    from weights

    union all

    select
        'reliability_evaluated' as gate,
        coalesce(bool_and(weight_factor is not null), true) as is_passed,
        '主观指标的可信度须已评估：'
        || coalesce(
            string_agg(metric_id || ' ' || reason_zh, '；' order by metric_id, cohort_key)
            filter (where weight_factor is null),
            '均已评估'
        ) as detail_zh,
        'every subjective metric is evaluated: '
        || coalesce(
            string_agg(metric_id || ' is ' || reason_en, '; ' order by metric_id, cohort_key)
            filter (where weight_factor is null),
            'all are'
        ) as detail_en
    from reliability

    union all

    select
        'agents_mapped' as gate,
        count(*) = 0 as is_passed,
        '所有账号须对应到员工' as detail_zh,
        'every account is mapped to a person: ' || coalesce(string_agg(unit_key, ', '), 'all are') as detail_en
    from units

    union all

    select
        'critical_checks' as gate,
        count(*) > 0 and bool_and(success is true or severity <> 'critical') as is_passed,
        '关键质量检查须全部通过' as detail_zh,
        'every critical check passed: '
        || coalesce(
            string_agg(
                expectation_id || case when success is null then ' was not run' else '' end, ', '
                order by expectation_id
            ) filter (where success is not true and severity = 'critical'),
            case when count(*) = 0 then 'none is declared' else 'all did' end
        ) as detail_en
    from quality

    union all

    select
        'quarantine_settled' as gate,
        count(*) = 0 as is_passed,
        '隔离区须已处理' as detail_zh,
        count(*) || ' records wait in quarantine' as detail_en
    from quarantine

    union all

    -- The totals of a whole source and day name the fault; units are named where only they differ.
    select
        'reconciliation' as gate,
        count(*) filter (where is_blocking) = 0 as is_passed,
        '与来源自报的总数须一致' as detail_zh,
        'our totals agree with those the sources count themselves: '
        || coalesce(
            (
                array_agg(
                    source_id || ' ' || rule_id || ' of ' || unit_key || ' on ' || business_date || ' is '
                    || our_value || ', not ' || source_value
                    order by unit_kind <> 'source', business_date, source_id, rule_id, unit_key
                ) filter (where is_blocking)
            )[1] || ', and ' || count(*) filter (where is_blocking) - 1 || ' more',
            count(*) filter (where is_within) || ' compared, '
            || count(*) filter (where source_value is null) || ' without a total of the source'
        ) as detail_en
    from totals

    union all

    -- reliability.md 6.3: what a pause was for decides occupancy and adherence.
    select
        'pause_reasons_mapped' as gate,
        coalesce(
            sum(pauses.pause_seconds) filter (where pauses.is_unmapped)
            <= defaults.most_unmapped * sum(pauses.pause_seconds),
            true
        ) as is_passed,
        '未映射的暂停原因不得超过暂停时长的' || trim_scale(100 * defaults.most_unmapped) || '%' as detail_zh,
        'pause reasons that are not mapped are at most ' || trim_scale(100 * defaults.most_unmapped)
        || ' % of the time of pauses: '
        || coalesce(
            string_agg(pauses.reason, ', ' order by pauses.reason) filter (where pauses.is_unmapped), 'all are mapped'
        ) as detail_en
    from defaults
    left join pauses
        on true
    group by defaults.most_unmapped

    union all

    select
        'sources_fresh' as gate,
        count(*) > 0 and bool_and(is_fresh) as is_passed,
        '方案所需的来源须有周期最后一个服务日的数据：'
        || coalesce(
            string_agg(source_id || '的最新记录为' || coalesce(newest_text, '无'), '；' order by source_id)
            filter (where not is_fresh),
            case when count(*) = 0 then '没有这样的来源' else '均已到达' end
        ) as detail_zh,
        'every source that plans need has told the last service day of the period: '
        || coalesce(
            string_agg(
                source_id || coalesce(' ends on ' || newest_text, ' has told nothing'), ', ' order by source_id
            ) filter (where not is_fresh),
            case when count(*) = 0 then 'there is none' else 'all have' end
        ) as detail_en
    from arrived

)

select
    gate,
    is_passed,
    detail_zh,
    detail_en
from gates
