with signals as (

    select * from {{ ref('decline_signal') }}
    where state = 'improving'

),

talks as (

    select * from {{ ref('coaching_effect') }}

),

-- A talk before the improvement may be what others can learn from.
coached as (

    select
        signals.agent_key,
        signals.metric_id,
        max(talks.business_date) as last_coached_on,
        count(talks.coaching_key) as coaching_count
    from signals
    inner join talks
        on
            signals.agent_key = talks.agent_key
            and signals.metric_id = talks.metric_id
            and signals.opened_on >= talks.business_date
    group by signals.agent_key, signals.metric_id

)

select
    signals.period_id::text as period_id,
    signals.agent_key::text as agent_key,
    signals.team_key::text as team_key,
    signals.metric_id::text as metric_id,
    signals.grain::text as grain,
    signals.opened_on::date as opened_on,
    signals.confirmed_on::date as confirmed_on,
    signals.baseline::numeric as baseline,
    signals.recent_value::numeric as recent_value,
    signals.practical_size::numeric as practical_size,
    signals.has_common_issue::boolean as is_shared_by_team,
    coalesce(coached.coaching_count, 0)::bigint as coaching_count,
    coached.last_coached_on::date as last_coached_on,
    signals.words_zh::text as words_zh,
    signals.words_en::text as words_en
from signals
left join coached
    on signals.agent_key = coached.agent_key and signals.metric_id = coached.metric_id
