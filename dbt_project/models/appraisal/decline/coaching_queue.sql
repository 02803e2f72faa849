with signals as (

    select
        *,
        case metric_id when 'aht' then 'aht' when 'fcr_repeat' then 'fcr' end as tree
    from {{ ref('decline_signal') }}
    where side = 'decline' and state in ('confirmed', 'slow_decline')

),

rules as (

    select * from {{ ref('stg_cfg__coaching_rule') }}

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

drivers as (

    select * from {{ ref('driver_tree') }}
    where unit_kind = 'agent' and period_kind = 'week'

),

facts as (

    select
        metric_measures.metric_id,
        measures.fact
    from {{ ref('stg_cfg__metric_measure') }} as metric_measures
    inner join metrics
        on
            metric_measures.metric_id = metrics.metric_id
            and metric_measures.metric_version = metrics.metric_version
    inner join {{ ref('stg_cfg__measure') }} as measures
        on metric_measures.measure_id = measures.measure_id
    where metric_measures.part in ('numerator', 'denominator')
    group by metric_measures.metric_id, measures.fact

),

parts as (

    select
        metric_id,
        string_agg(fact, ', ' order by fact) as facts
    from facts
    group by metric_id

),

talks as (

    select * from {{ ref('coaching_effect') }}

),

-- The part of the tree that moved most to the bad side in the newest week that has a change.
driving as (

    select
        signals.agent_key,
        signals.metric_id,
        drivers.driver,
        drivers.driver_value,
        drivers.own_change,
        row_number() over (
            partition by signals.agent_key, signals.metric_id
            order by
                drivers.period_start desc,
                -- A long handle time is worse, a high share of solved cases is better; a band is left by its own side.
                drivers.own_change * sign(signals.recent_value - signals.baseline) desc,
                drivers.driver asc,
                drivers.channel asc
        ) as place
    from signals
    inner join drivers
        on
            signals.agent_key = drivers.unit_key
            and signals.tree = drivers.tree
            and signals.last_scored_on >= drivers.period_start
            -- NULL without a week before.
            and drivers.own_change * sign(signals.recent_value - signals.baseline) > 0

),

-- Talks about this metric since the item opened; the last one says the cause and what it changed.
coached as (

    select
        signals.agent_key,
        signals.metric_id,
        talks.business_date,
        talks.coaching_key,
        talks.coach_key,
        talks.cause,
        talks.effect,
        talks.is_improvement,
        talks.null_reason,
        count(*) over (partition by signals.agent_key, signals.metric_id) as coaching_count,
        row_number() over (
            partition by signals.agent_key, signals.metric_id
            order by talks.business_date desc, talks.coaching_key asc
        ) as place
    from signals
    inner join talks
        on
            signals.agent_key = talks.agent_key
            and signals.metric_id = talks.metric_id
            and signals.opened_on <= talks.business_date

)

select
    signals.period_id::text as period_id,
    signals.agent_key::text as agent_key,
    signals.team_key::text as team_key,
    signals.metric_id::text as metric_id,
    signals.grain::text as grain,
    signals.state::text as signal_state,
    case
        when coached.coaching_count is null then 'to_coach'
        when coached.effect is null then 'coached'
        else 'effect_measured'
    end::text as status,
    signals.opened_on::date as opened_on,
    signals.confirmed_on::date as confirmed_on,
    signals.baseline::numeric as baseline,
    signals.recent_value::numeric as recent_value,
    signals.practical_size::numeric as practical_size,
    coalesce(coached.cause, rules.cause)::text as cause,
    (coached.cause is not null)::boolean as is_cause_noted,
    driving.driver::text as driver,
    driving.driver_value::numeric as driver_value,
    driving.own_change::numeric as driver_change,
    parts.facts::text as rows_of,
    signals.opened_on::date as rows_from,
    signals.last_scored_on::date as rows_to,
    ('kefu metrics explain ' || signals.metric_id || ' --agent ' || signals.agent_key)::text as rows_command,
    coalesce(coached.coaching_count, 0)::bigint as coaching_count,
    coached.business_date::date as last_coached_on,
    coached.coaching_key::text as last_coaching_key,
    coached.coach_key::text as last_coach_key,
    coached.effect::numeric as effect,
    coached.is_improvement::boolean as is_improvement,
    coached.null_reason::text as effect_null_reason,
    signals.has_common_issue::boolean as has_common_issue,
    signals.training_zh::text as training_zh,
    signals.training_en::text as training_en,
    signals.training_gain_zh::text as training_gain_zh,
    signals.training_gain_en::text as training_gain_en,
    signals.words_zh::text as words_zh,
    signals.words_en::text as words_en
from signals
inner join rules
    on signals.metric_id = rules.metric_id
left join parts
    on signals.metric_id = parts.metric_id
left join driving
    on signals.agent_key = driving.agent_key and signals.metric_id = driving.metric_id and driving.place = 1
left join coached
    on signals.agent_key = coached.agent_key and signals.metric_id = coached.metric_id and coached.place = 1
