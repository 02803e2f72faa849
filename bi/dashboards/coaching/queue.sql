-- One row per agent and metric whose decline is confirmed or slow.
select
    coaching_queue.agent_key,
    coalesce(agent.agent_name, coaching_queue.agent_key) as agent_name,
    coalesce(team.name_zh, coaching_queue.team_key) as team_name_zh,
    coalesce(team.name_en, coaching_queue.team_key) as team_name_en,
    coalesce(named.name_zh, coaching_queue.metric_id) as metric_name_zh,
    coalesce(named.name_en, coaching_queue.metric_id) as metric_name_en,
    case coaching_queue.status when 'to_coach' then 0 when 'coached' then 1 else 2 end as status_order,
    coaching_queue.signal_state,
    coaching_queue.status,
    coaching_queue.words_zh,
    coaching_queue.words_en,
    coaching_queue.cause,
    coaching_queue.driver,
    coaching_queue.opened_on,
    coaching_queue.coaching_count,
    case
        when coaching_queue.effect is null then null
        when named.unit = 'share' then to_char(100 * coaching_queue.effect, 'SG990.0') || ' pp'
        else to_char(coaching_queue.effect, 'SG999990.0')
    end as effect_words,
    coaching_queue.effect_null_reason as effect_reason,
    coaching_queue.training_zh,
    coaching_queue.training_en,
    coaching_queue.training_gain_zh,
    coaching_queue.training_gain_en,
    coaching_queue.rows_command
from pub_kpi.coaching_queue
left join pub_kpi.team on coaching_queue.team_key = team.team_key
left join pub_kpi.agent on coaching_queue.agent_key = agent.agent_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en,
        metric_definition.unit
    from pub_kpi.metric_definition
    where metric_definition.metric_id = coaching_queue.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
where true [[and {{team}}]]
