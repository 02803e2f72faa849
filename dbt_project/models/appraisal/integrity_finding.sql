{{ config(indexes=[{'columns': ['period_id', 'agent_key', 'rule_id', 'metric_id'], 'unique': true}]) }}

with results as (

    select * from {{ source('stats', 'integrity_result') }}
    where calc_id = '{{ var("calc_id") }}' and period_id = '{{ var("period_id") }}'

),

rules as (

    select * from {{ ref('stg_cfg__integrity_rule') }}

),

decisions as (

    select
        period_id,
        agent_key,
        rule_id,
        metric_id,
        verdict,
        reason,
        decided_by,
        row_number() over (
            partition by period_id, agent_key, rule_id, metric_id
            order by decision_id desc
        ) as decision_rank
    from {{ source('ops', 'integrity_decision') }}

),

-- A signal is a suspicion only beside one that stands by itself.
supported as (

    select
        results.agent_key,
        results.metric_id
    from results
    inner join rules
        on results.rule_id = rules.rule_id
    where results.is_flagged and not rules.is_signal_only
    group by results.agent_key, results.metric_id

),

judged as (

    select
        results.*,
        rules.is_signal_only,
        rules.rule_name_zh,
        rules.rule_name_en,
        rules.description_zh,
        rules.description_en,
        rules.needs_zh,
        rules.needs_en,
        rules.also_metric_ids,
        decisions.verdict,
        decisions.reason,
        decisions.decided_by,
        case
            -- What a person decided about the period stands until a person decides otherwise: q depends on everybody
            -- else and on late data, and a finding that goes with it would free weight.
            when decisions.verdict is not null then decisions.verdict
            when results.state <> 'tested' then results.state
            when not results.is_flagged then 'clear'
            when rules.is_signal_only and supported.agent_key is null then 'clear'
            else 'suspected'
        end as finding_state
    from results
    inner join rules
        on results.rule_id = rules.rule_id
    left join supported
        on results.agent_key = supported.agent_key and results.metric_id = supported.metric_id
    left join decisions
        on
            results.period_id = decisions.period_id
            and results.agent_key = decisions.agent_key
            and results.rule_id = decisions.rule_id
            and results.metric_id = decisions.metric_id
            and decisions.decision_rank = 1

)

select
    period_id,
    cohort_key,
    agent_key,
    rule_id,
    metric_id,
    also_metric_ids,
    finding_state as state,
    n,
    observed,
    expected,
    (details ->> 'threshold')::numeric as threshold,
    p_value,
    q_value,
    case finding_state
        when 'not_evaluated' then rule_name_zh || '：未评估，来源未提供' || needs_zh
        when 'not_enough_data'
            then
                rule_name_zh
                || coalesce(
                    '：同组可比较的人不足' || (details ->> 'needed_others') || '人',
                    '：样本' || n || '，至少需要' || (details ->> 'needed')
                )
        when 'confirmed'
            then
                rule_name_zh || '：' || decided_by || '已确认：' || reason
                || case when state = 'tested' and is_flagged then '' else '（现有数据已不再提示，决定仍有效）' end
        when 'dismissed' then rule_name_zh || '：' || decided_by || '已排除：' || reason
        when 'suspected' then rule_name_zh || '：' || description_zh || '（' || (details ->> 'shown_zh') || '）'
        else
            rule_name_zh || '：' || (details ->> 'shown_zh')
            || case when is_flagged then '；仅作提示' else '，未见异常' end
    end as reason_zh,
    case finding_state
        when 'not_evaluated' then rule_name_en || ': not evaluated, no source delivers ' || needs_en
        when 'not_enough_data'
            then
                rule_name_en
                || coalesce(
                    ': fewer than ' || (details ->> 'needed_others') || ' others to compare with',
                    ': ' || n || ' cases, at least ' || (details ->> 'needed') || ' needed'
                )
        when 'confirmed'
            then
                rule_name_en || ': confirmed by ' || decided_by || ': ' || reason
                || case
                    when state = 'tested' and is_flagged then ''
                    else ' (the data no longer raise it, the decision stands)'
                end
        when 'dismissed' then rule_name_en || ': dismissed by ' || decided_by || ': ' || reason
        when 'suspected' then rule_name_en || ': ' || description_en || ' (' || (details ->> 'shown_en') || ')'
        else
            rule_name_en || ': ' || (details ->> 'shown_en')
            || case when is_flagged then '; a signal only' else '; nothing unusual' end
    end as reason_en
from judged
