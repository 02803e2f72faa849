with found as (

    select *
    from {{ source('stats', 'decline_item') }}
    -- An improvement that is not sure yet is nothing to act on.
    where calc_id = '{{ var("calc_id") }}' and not (side = 'improvement' and state = 'watch')

),

issues as (

    select
        team_key,
        metric_id,
        grain,
        side,
        min(opened_on) as opened_on
    from {{ source('stats', 'decline_issue') }}
    where calc_id = '{{ var("calc_id") }}' and state = 'open'
    group by team_key, metric_id, grain, side

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

training as (

    select * from {{ ref('stg_cfg__training_rule') }}

),

rules as (

    select
        body #>> '{decline, mean_days}' as mean_units,
        body #>> '{decline, confirm, 1}' as day_units,
        body #>> '{decline, weekly, confirm, 1}' as week_units,
        body #>> '{decline, slow_periods}' as slow_periods
    from ({{ current_config('defaults') }}) as current_defaults

),

-- The open item of an agent and metric, else the one that was cleared last.
latest as (

    select
        found.*,
        row_number() over (
            partition by found.agent_key, found.metric_id
            order by (found.state = 'cleared') asc, found.opened_on desc, found.item_key asc
        ) as place
    from found

),

worded as (

    select
        latest.period_id,
        latest.agent_key,
        latest.team_key,
        latest.metric_id,
        latest.metric_version,
        latest.grain,
        latest.side,
        latest.state,
        latest.state <> 'cleared' as is_open,
        latest.state = 'watch' as is_silent,
        latest.opened_on,
        latest.confirmed_on,
        latest.cleared_on,
        latest.clear_reason,
        latest.last_scored_on,
        latest.baseline::numeric as baseline,
        latest.opening_baseline::numeric as opening_baseline,
        latest.recent_value::numeric as recent_value,
        latest.practical_size::numeric as practical_size,
        latest.e::numeric as e,
        latest.e_limit::numeric as e_limit,
        latest.low_units,
        latest.watch_units,
        latest.team_shift::numeric as team_shift,
        issues.team_key is not null as has_common_issue,
        training.rule_id as training_rule_id,
        training.course_zh as training_zh,
        training.course_en as training_en,
        training.gain_zh as training_gain_zh,
        training.gain_en as training_gain_en,
        metrics.name_zh,
        metrics.name_en,
        {{ value_in_words('latest.recent_value::numeric', 'metrics.unit') }} as recent_words,
        {{ value_in_words('latest.baseline::numeric', 'metrics.unit') }} as baseline_words,
        {{ difference_in_words('latest.practical_size::numeric', 'metrics.unit', '个百分点') }} as size_zh,
        {{ difference_in_words('latest.practical_size::numeric', 'metrics.unit', 'points') }} as size_en,
        rules.mean_units,
        case latest.grain when 'day' then rules.day_units else rules.week_units end as confirm_units,
        rules.slow_periods,
        case latest.grain when 'day' then '日' else '周' end as unit_zh,
        case latest.grain when 'day' then 'days' else 'weeks' end as unit_en
    from latest
    cross join rules
    inner join metrics
        on latest.metric_id = metrics.metric_id
    left join issues
        on
            latest.team_key = issues.team_key
            and latest.metric_id = issues.metric_id
            and latest.grain = issues.grain
            and latest.side = issues.side
            and latest.state <> 'cleared'
    left join training
        on latest.metric_id = training.metric_id and latest.state = training.signal and latest.side = 'decline'
    where latest.place = 1

)

select
    period_id::text as period_id,
    agent_key::text as agent_key,
    team_key::text as team_key,
    metric_id::text as metric_id,
    metric_version::integer as metric_version,
    grain::text as grain,
    side::text as side,
    state::text as state,
    is_open::boolean as is_open,
    is_silent::boolean as is_silent,
    opened_on::date as opened_on,
    confirmed_on::date as confirmed_on,
    cleared_on::date as cleared_on,
    clear_reason::text as clear_reason,
    last_scored_on::date as last_scored_on,
    baseline::numeric as baseline,
    opening_baseline::numeric as opening_baseline,
    recent_value::numeric as recent_value,
    practical_size::numeric as practical_size,
    e::numeric as e,
    e_limit::numeric as e_limit,
    low_units::integer as low_units,
    watch_units::integer as watch_units,
    team_shift::numeric as team_shift,
    has_common_issue::boolean as has_common_issue,
    training_rule_id::text as training_rule_id,
    training_zh::text as training_zh,
    training_en::text as training_en,
    training_gain_zh::text as training_gain_zh,
    training_gain_en::text as training_gain_en,
    (
        case state
            when 'slow_decline'
                then
                    '连续 ' || slow_periods || ' 个已关账周期走低：由 ' || baseline_words || ' 到 ' || recent_words
                    || '，达到 ' || size_zh || ' 才算'
            when 'improving'
                then
                    '持续改善：' || coalesce(recent_words, '未知') || '，平时为 ' || coalesce(baseline_words, '未知')
            when 'cleared'
                then
                    case clear_reason
                        when 'back_to_usual' then '已解除：回到平时水平'
                        when 'new_level' then '已解除：不再变化，但新的水平成了平时水平，请看变化是否可以接受'
                        else '已关闭：此后没有足够数据'
                    end
            when 'watch'
                then
                    '默默关注：近期多' || unit_zh || '差于平时，尚不能确认；近 ' || mean_units || ' 个评分' || unit_zh || '为 '
                    || coalesce(recent_words, '未知') || '，平时为 ' || coalesce(baseline_words, '未知')
            else
                '已确认：近 ' || mean_units || ' 个评分' || unit_zh || '为 ' || coalesce(recent_words, '未知') || '，平时为 '
                || coalesce(baseline_words, '未知') || '（差 ' || coalesce(size_zh, '未知') || ' 才算）；最近 '
                || confirm_units || ' ' || unit_zh || '中有 ' || watch_units || ' ' || unit_zh || '触发'
        end
        || case when has_common_issue then '。全组也在变化，先看共性问题；此人比全组更明显' else '' end
    )::text as words_zh,
    (
        case state
            when 'slow_decline'
                then
                    'Worse in each of the last ' || slow_periods || ' closed periods: from ' || baseline_words || ' to '
                    || recent_words || '; from ' || size_en || ' it matters'
            when 'improving'
                then
                    'Lastingly better: ' || coalesce(recent_words, 'unknown') || ' against a usual '
                    || coalesce(baseline_words, 'unknown')
            when 'cleared'
                then
                    case clear_reason
                        when 'back_to_usual' then 'Cleared: back to what is usual'
                        when 'new_level'
                            then
                                'Cleared: no change any more, but the new level has become the usual one; see whether'
                                || ' that is acceptable'
                        else 'Closed: not enough data since'
                    end
            when 'watch'
                then
                    'Quiet watch: worse than usual on several ' || unit_en || ', not sure yet; the last ' || mean_units
                    || ' scored ' || unit_en || ' give ' || coalesce(recent_words, 'unknown') || ' against a usual '
                    || coalesce(baseline_words, 'unknown')
            else
                'Confirmed: the last ' || mean_units || ' scored ' || unit_en || ' give '
                || coalesce(recent_words, 'unknown') || ' against a usual ' || coalesce(baseline_words, 'unknown')
                || ' (a difference from ' || coalesce(size_en, 'unknown') || ' matters); the alarm was on in '
                || watch_units || ' of the last ' || confirm_units || ' ' || unit_en
        end
        || case
            when has_common_issue
                then '. The whole team changes too: look there first; this person changes more'
            else ''
        end
    )::text as words_en
from worded
