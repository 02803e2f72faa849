with plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

facts as (

    select * from {{ ref('fct_verified_fact') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}
    where is_last_stint

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

gates as (

    select
        plans.plan_id,
        gate.body ->> 'gate_id' as gate_id,
        gate.body ->> 'fact_kind' as fact_kind,
        gate.body ->> 'effect' as effect,
        (gate.body ->> 'value')::numeric as limit_value,
        gate.body ->> 'grade' as limit_grade,
        gate.body #>> '{name, zh}' as name_zh,
        gate.body #>> '{name, en}' as name_en,
        coalesce((gate.body ->> 'spares_new_hires')::boolean, false) as spares_new_hires
    from plans
    cross join lateral jsonb_array_elements(plans.gates) as gate (body)

    union all

    -- Points that somebody earned or lost need no gate of the plan.
    select
        plans.plan_id,
        extra.effect as gate_id,
        extra.effect as fact_kind,
        extra.effect,
        null as limit_value,
        null as limit_grade,
        extra.name_zh,
        extra.name_en,
        false as spares_new_hires
    from plans
    cross join (
        values
        ('bonus', '加分', 'bonus'),
        ('malus', '扣分', 'malus')
    ) as extra (effect, name_zh, name_en)

),

-- Nobody is stopped for being slow in the first weeks.
judged as (

    select
        agents.period_id,
        agents.agent_key,
        agents.plan_id,
        facts.fact_key,
        gates.gate_id,
        facts.fact_kind,
        gates.effect,
        gates.limit_value,
        gates.limit_grade,
        facts.points,
        facts.business_date,
        facts.evidence_id,
        facts.reporter_key,
        facts.verifier_key,
        facts.verified_on,
        facts.unverified_reason,
        gates.name_zh,
        gates.name_en,
        case
            when facts.unverified_reason = 'disputed' then 'disputed'
            when not facts.is_verified then 'unverified'
            when
                facts.business_date < agents.gates_spared_until
                and (gates.spares_new_hires or metrics.dimension in ('responsiveness', 'efficiency'))
                then 'spared'
            else 'applied'
        end as state
    from facts
    cross join period
    inner join agents
        on facts.agent_key = agents.agent_key
    inner join gates
        on agents.plan_id = gates.plan_id and facts.fact_kind = gates.fact_kind
    left join metrics
        on facts.metric_id = metrics.metric_id
    where facts.business_date between period.period_start and period.period_end

)

select
    judged.period_id::text as period_id,
    judged.agent_key::text as agent_key,
    judged.plan_id::text as plan_id,
    judged.fact_key::text as fact_key,
    judged.gate_id::text as gate_id,
    judged.fact_kind::text as fact_kind,
    judged.effect::text as effect,
    judged.limit_value::numeric as limit_value,
    judged.limit_grade::text as limit_grade,
    judged.points::numeric as points,
    judged.state::text as state,
    judged.business_date::date as business_date,
    judged.evidence_id::text as evidence_id,
    judged.reporter_key::text as reporter_key,
    judged.verifier_key::text as verifier_key,
    judged.verified_on::date as verified_on,
    (
        judged.name_zh || case judged.effect
            when 'zero' then '：总分归零'
            when 'cap'
                then '：' || coalesce(
                    '总分不高于 ' || judged.limit_value, '等级不高于 ' || judged.limit_grade || '，系数按该等级的最高分取'
                )
            when 'multiply' then '：总分乘以 ' || judged.limit_value
            when 'hold' then '：暂缓发放'
            when 'bonus' then '：加 ' || coalesce(judged.points, 0) || ' 分'
            else '：扣 ' || coalesce(judged.points, 0) || ' 分'
        end
        || '（' || judged.business_date || '，' || coalesce('证据 ' || judged.evidence_id, '无证据') || '）'
        || case
            when judged.state = 'applied' then ''
            when judged.state = 'spared' then '，新人期内不适用'
            when judged.state = 'disputed' then '，经申诉裁决撤销'
            when judged.unverified_reason = 'verified_by_party' then '，须由报告人与本人以外的人核实，暂不生效'
            else '，尚未核实，暂不生效'
        end
    )::text as reason_zh,
    (
        judged.name_en || case judged.effect
            when 'zero' then ': the score is 0'
            when 'cap'
                then
                    ': '
                    || coalesce(
                        'the score is at most ' || judged.limit_value,
                        'the grade is at most ' || judged.limit_grade
                        || ', and the coefficient that of its highest score'
                    )
            when 'multiply' then ': the score is multiplied by ' || judged.limit_value
            when 'hold' then ': the pay is held'
            when 'bonus' then ': ' || coalesce(judged.points, 0) || ' points more'
            else ': ' || coalesce(judged.points, 0) || ' points less'
        end
        || ' (' || judged.business_date || ', ' || coalesce('evidence ' || judged.evidence_id, 'no evidence') || ')'
        || case
            when judged.state = 'applied' then ''
            when judged.state = 'spared' then ', does not hold for new hires'
            when judged.state = 'disputed' then ', taken out by the decision of a dispute'
            when judged.unverified_reason = 'verified_by_party'
                then ', must be verified by somebody else than the reporter and the person, not in force'
            else ', not verified yet and not in force'
        end
    )::text as reason_en
from judged
