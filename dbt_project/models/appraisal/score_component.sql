with scored as (

    select * from {{ ref('scored_metric') }}

),

weights as (

    select * from {{ ref('effective_weight') }}

),

plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

defaults as (

    select
        (body #>> '{score, bonus_malus}')::numeric as bonus_malus,
        (body #>> '{score, store_dp}')::integer as store_places
    from ({{ current_config('defaults') }}) as current_defaults

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

weighted as (

    select
        scored.*,
        plans.min_own_data,
        weights.weight_variant,
        weights.effective_weight,
        -- A subjective metric without rows is scored at the cohort's mean; a count of 0 is the agent's own.
        scored.na_reason is null and (coalesce(scored.n, 0) > 0 or scored.metric_type <> 'subjective') as has_own_rows
    from scored
    inner join plans
        on scored.plan_id = plans.plan_id
    inner join weights
        on
            scored.plan_id = weights.plan_id
            and scored.agent_key = weights.agent_key
            and scored.metric_id = weights.metric_id

),

own as (

    select
        period_id,
        plan_id,
        plan_version,
        cohort_key,
        agent_key,
        stint_share,
        weight_variant,
        bool_or(is_kept) as is_flagged,
        100 - sum(effective_weight) as neutral_weight,
        sum(effective_weight) filter (where has_own_rows) as own_data_weight,
        max(min_own_data) as min_own_data,
        sum(effective_weight * curve_score) as own_total,
        -- Of who has a confirmed finding, the metrics without one: what the flagged one may not beat.
        sum(effective_weight * curve_score) filter (where not is_kept)
        / nullif(sum(effective_weight) filter (where not is_kept), 0) as other_score,
        sum(effective_weight * curve_score) / nullif(sum(effective_weight) filter (where curve_score is not null), 0)
            as own_score
    from weighted
    group by period_id, plan_id, plan_version, cohort_key, agent_key, stint_share, weight_variant

),

-- Weight that found no metric is neutral: it earns what the middle of the cohort earns with what was measured.
neutral as (

    select
        plan_id,
        cohort_key,
        case weight_variant when 'unflagged' then 'adjusted' else weight_variant end as weight_variant,
        round(
            percentile_cont(0.5) within group (order by own_score)
            filter (where own_data_weight >= min_own_data)::numeric, 10
        ) as neutral_score
    from own
    where not (is_flagged and weight_variant = 'adjusted')
    group by plan_id, cohort_key, case weight_variant when 'unflagged' then 'adjusted' else weight_variant end

),

-- No-benefit rule (reliability.md 4.4). least() leaves out what an objective metric does not have: other rows. Points
-- drawn from the cohort alone are what the metric earned without the finding: they limit it too.
flagged as (

    select
        weighted.plan_id,
        weighted.agent_key,
        weighted.metric_id,
        weighted.effective_weight,
        case
            when weighted.has_own_rows
                then least(weighted.curve_score, weighted.all_rows_score, weighted.cohort_median_score)
            else
                least(weighted.curve_score, weighted.all_rows_score, weighted.cohort_low_score, own.other_score)
        end as least_score
    from weighted
    inner join own
        on
            weighted.plan_id = own.plan_id
            and weighted.agent_key = own.agent_key
            and weighted.weight_variant = own.weight_variant
    where weighted.is_kept and weighted.weight_variant = 'adjusted'

),

-- The kept weight may not lift the composite above what it would be without the finding: where other weights would then
-- earn less, the flagged metrics give the difference back, each by the same part.
compared as (

    select
        flagged.plan_id,
        flagged.agent_key,
        sum(flagged.effective_weight * flagged.least_score) as kept_total,
        max(adjusted.neutral_weight * coalesce(neutral.neutral_score, 0)) as adjusted_neutral,
        max(coalesce(unflagged.own_total, 0) + unflagged.neutral_weight * coalesce(neutral.neutral_score, 0))
            as unflagged_total,
        bool_or(same.effective_weight <> flagged.effective_weight) as differs
    from flagged
    inner join own as adjusted
        on
            flagged.plan_id = adjusted.plan_id
            and flagged.agent_key = adjusted.agent_key
            and adjusted.weight_variant = 'adjusted'
    inner join own as unflagged
        on
            flagged.plan_id = unflagged.plan_id
            and flagged.agent_key = unflagged.agent_key
            and unflagged.weight_variant = 'unflagged'
    inner join weights as same
        on
            flagged.plan_id = same.plan_id
            and flagged.agent_key = same.agent_key
            and flagged.metric_id = same.metric_id
            and same.weight_variant = 'unflagged'
    left join neutral
        on
            adjusted.plan_id = neutral.plan_id
            and adjusted.cohort_key = neutral.cohort_key
            and neutral.weight_variant = 'adjusted'
    group by flagged.plan_id, flagged.agent_key

),

rest as (

    select
        plan_id,
        agent_key,
        sum(effective_weight * curve_score) as rest_total
    from weighted
    where weight_variant = 'adjusted' and not is_kept
    group by plan_id, agent_key

),

bounded as (

    select
        flagged.plan_id,
        flagged.agent_key,
        flagged.metric_id,
        round(
            flagged.least_score * case
                when not compared.differs or compared.kept_total = 0 then 1
                -- A hundred-thousandth of a point more than needed, so that rounding of lines cannot undo it.
                else least(1, greatest(0, (
                    compared.unflagged_total - coalesce(rest.rest_total, 0) - compared.adjusted_neutral - 0.001
                ) / compared.kept_total))
            end, 10
        ) as kept_score
    from flagged
    inner join compared
        on flagged.plan_id = compared.plan_id and flagged.agent_key = compared.agent_key
    left join rest
        on flagged.plan_id = rest.plan_id and flagged.agent_key = rest.agent_key

),

-- Who gives weight away in each agent's variant, named for those who take it over.
givers as (

    select
        weighted.plan_id,
        weighted.agent_key,
        weighted.weight_variant,
        string_agg(metrics.name_zh, '、' order by weighted.metric_id) as givers_zh,
        string_agg(metrics.name_en, ', ' order by weighted.metric_id) as givers_en
    from weighted
    inner join metrics
        on weighted.metric_id = metrics.metric_id
    where weighted.nominal_weight - weighted.effective_weight > 1e-9
    group by weighted.plan_id, weighted.agent_key, weighted.weight_variant

),

components as (

    select
        weighted.period_id,
        weighted.plan_id,
        weighted.plan_version,
        weighted.cohort_key,
        weighted.agent_key,
        weighted.stint_share,
        weighted.weight_variant,
        weighted.metric_id,
        weighted.metric_version,
        weighted.nominal_weight,
        case when weighted.is_kept then weighted.cohort_factor else weighted.weight_factor end as weight_factor,
        weighted.effective_weight,
        weighted.raw_value,
        weighted.n,
        weighted.interval_low,
        weighted.interval_high,
        weighted.shrunk_value,
        weighted.scored_value,
        weighted.curve_id,
        case when weighted.is_kept then bounded.kept_score else weighted.curve_score end as curve_score,
        case when not weighted.is_kept then weighted.na_reason end as na_reason,
        weighted.finding,
        -- A metric kept for a confirmed finding counts as own data, or hiding rows would lead to no score at all.
        weighted.has_own_rows or weighted.is_kept as has_own_data,
        abs(weighted.curve_score_high - weighted.curve_score_low) as curve_score_range,
        concat_ws(
            '；',
            case
                when weighted.nominal_weight <> weighted.plan_weight
                    then
                        '班组调整 ' || to_char(weighted.nominal_weight - weighted.plan_weight, 'FMSG990.00') || ' 分'
            end,
            case
                when weighted.is_kept then '诚信问题已确认，保留权重，按最低者计分：' || weighted.finding_zh
                when weighted.na_reason = 'below_min_n'
                    then '样本不足（' || weighted.n || '，至少 ' || weighted.min_n || '），权重已转移'
                when weighted.na_reason = 'not_measured' then '数据源未提供此项，权重已转移'
                when weighted.na_reason = 'exempt' then '经批准豁免，权重已转移'
                when weighted.na_reason = 'long_leave' then '长期休假，权重已转移'
                when weighted.na_reason is not null then '本期无此项数据，权重已转移'
                when weighted.metric_type = 'subjective' and weighted.weight_variant = 'unadjusted'
                    then '对照：按完全可信计'
                when weighted.weight_factor < weighted.cohort_factor
                    then
                        weighted.reliability_zh || '；本人评价过少或邀评有选择，权重系数 '
                        || round(weighted.weight_factor, 2)
                when weighted.metric_type = 'subjective' and weighted.effective_weight > weighted.nominal_weight + 1e-9
                    then
                        weighted.reliability_zh || '；承接 '
                        || round(weighted.effective_weight - weighted.nominal_weight, 2) || ' 分，来自' || givers.givers_zh
                when weighted.metric_type = 'subjective' then weighted.reliability_zh
                when weighted.effective_weight > weighted.nominal_weight + 1e-9
                    then
                        '承接 ' || round(weighted.effective_weight - weighted.nominal_weight, 2) || ' 分，来自'
                        || givers.givers_zh
                else '权重不变'
            end,
            case
                when
                    not weighted.is_kept and weighted.na_reason is null and weighted.metric_type = 'subjective'
                    and weighted.estimate_mode = 'shrink' and coalesce(weighted.n, 0) < weighted.min_n
                    then '仅 ' || coalesce(weighted.n, 0) || ' 条，向群体均值收缩'
            end,
            case when weighted.finding = 'suspected' then '审核中：' || weighted.finding_zh end,
            case when weighted.is_missed_exam then '缺考且未补考，按 0 分计入' end,
            case
                when weighted.target_share < 1 and weighted.na_reason is null
                    then '目标按出勤工时 ' || round(100 * weighted.target_share, 1) || '% 折算'
            end,
            case
                when weighted.ramp_share < 1 and weighted.na_reason is null
                    then '新人目标按 ' || round(100 * weighted.ramp_share) || '% 计'
            end
        ) as reason_zh,
        concat_ws(
            '; ',
            case
                when weighted.nominal_weight <> weighted.plan_weight
                    then
                        'overlay of the team '
                        || to_char(weighted.nominal_weight - weighted.plan_weight, 'FMSG990.00') || ' points'
            end,
            case
                when weighted.is_kept
                    then 'confirmed finding, keeps its weight at the lowest score: ' || weighted.finding_en
                when weighted.na_reason = 'below_min_n'
                    then 'too few cases (' || weighted.n || ' of at least ' || weighted.min_n || '), weight moved on'
                when weighted.na_reason = 'not_measured' then 'no source measures it, weight moved on'
                when weighted.na_reason = 'exempt' then 'exempt by approval, weight moved on'
                when weighted.na_reason = 'long_leave' then 'long leave, weight moved on'
                when weighted.na_reason is not null then 'nothing to measure in this period, weight moved on'
                when weighted.metric_type = 'subjective' and weighted.weight_variant = 'unadjusted'
                    then 'comparison: as if fully trusted'
                when weighted.weight_factor < weighted.cohort_factor
                    then
                        weighted.reliability_en || '; few or picked opinions of the agent, factor '
                        || round(weighted.weight_factor, 2)
                when weighted.metric_type = 'subjective' and weighted.effective_weight > weighted.nominal_weight + 1e-9
                    then
                        weighted.reliability_en || '; takes over '
                        || round(weighted.effective_weight - weighted.nominal_weight, 2) || ' points from '
                        || givers.givers_en
                when weighted.metric_type = 'subjective' then weighted.reliability_en
                when weighted.effective_weight > weighted.nominal_weight + 1e-9
                    then
                        'takes over ' || round(weighted.effective_weight - weighted.nominal_weight, 2)
                        || ' points from ' || givers.givers_en
                else 'weight as planned'
            end,
            case
                when
                    not weighted.is_kept and weighted.na_reason is null and weighted.metric_type = 'subjective'
                    and weighted.estimate_mode = 'shrink' and coalesce(weighted.n, 0) < weighted.min_n
                    then 'only ' || coalesce(weighted.n, 0) || ' rows, drawn to the mean of the cohort'
            end,
            case when weighted.finding = 'suspected' then 'under review: ' || weighted.finding_en end,
            case when weighted.is_missed_exam then 'exam missed without a make-up, counted as 0' end,
            case
                when weighted.target_share < 1 and weighted.na_reason is null
                    then 'target in proportion to ' || round(100 * weighted.target_share, 1) || ' % of the hours'
            end,
            case
                when weighted.ramp_share < 1 and weighted.na_reason is null
                    then round(100 * weighted.ramp_share) || ' % of the target for a new hire'
            end
        ) as reason_en
    from weighted
    left join bounded
        on
            weighted.plan_id = bounded.plan_id
            and weighted.agent_key = bounded.agent_key
            and weighted.metric_id = bounded.metric_id
    left join givers
        on
            weighted.plan_id = givers.plan_id
            and weighted.agent_key = givers.agent_key
            and weighted.weight_variant = givers.weight_variant
    where weighted.weight_variant <> 'unflagged'

    union all

    select
        own.period_id,
        own.plan_id,
        own.plan_version,
        own.cohort_key,
        own.agent_key,
        own.stint_share,
        own.weight_variant,
        'neutral' as metric_id,
        null::integer as metric_version,
        0 as nominal_weight,
        null::numeric as weight_factor,
        own.neutral_weight as effective_weight,
        null::numeric as raw_value,
        null::bigint as n,
        null::numeric as interval_low,
        null::numeric as interval_high,
        null::numeric as shrunk_value,
        null::numeric as scored_value,
        null as curve_id,
        neutral.neutral_score as curve_score,
        null as na_reason,
        null as finding,
        false as has_own_data,
        null::numeric as curve_score_range,
        case
            when neutral.neutral_score is null then '无处可放的权重，群体中无人有足够的自有数据，无法计分'
            else '无处可放的权重，按群体中位数计'
        end as reason_zh,
        case
            when neutral.neutral_score is null
                then 'weight without a metric, and nobody of the cohort has enough own data to score it by'
            else 'weight without a metric, scored at the cohort median'
        end as reason_en
    from own
    left join neutral
        on
            own.plan_id = neutral.plan_id
            and own.cohort_key = neutral.cohort_key
            and own.weight_variant = neutral.weight_variant
    where own.neutral_weight > 0 and own.weight_variant <> 'unflagged'

),

-- Weights as people read them: two decimals, the hundredths that are left to the largest remainders.
shown as (

    select
        *,
        floor(100 * effective_weight) as hundredths,
        row_number() over (
            partition by plan_id, agent_key, weight_variant
            order by 100 * effective_weight - floor(100 * effective_weight) desc, metric_id asc
        ) as remainder_rank,
        10000 - sum(floor(100 * effective_weight)) over (partition by plan_id, agent_key, weight_variant)
            as hundredths_left
    from components

),

pointed as (

    select
        shown.*,
        round(
            shown.effective_weight * coalesce(shown.curve_score, 0) * shown.stint_share / 100, defaults.store_places
        ) as points,
        round(
            (shown.hundredths + case when shown.remainder_rank <= shown.hundredths_left then 1 else 0 end) / 100, 2
        ) as shown_weight
    from shown
    cross join defaults

),

totals as (

    select
        agent_key,
        weight_variant,
        sum(points) as total_points
    from pointed
    group by agent_key, weight_variant

),

-- Verified points on top: together at most the limit of the defaults either way, and no score falls below 0.
extra as (

    select
        effects.agent_key,
        sum(case effects.effect when 'bonus' then effects.points else -effects.points end) as extra_points,
        string_agg(effects.reason_zh, '；' order by effects.business_date, effects.fact_key) as reason_zh,
        string_agg(effects.reason_en, '; ' order by effects.business_date, effects.fact_key) as reason_en
    from {{ ref('gate_effect') }} as effects
    where effects.effect in ('bonus', 'malus') and effects.state = 'applied' and effects.points > 0
    group by effects.agent_key

),

listed as (

    select
        period_id,
        plan_id,
        plan_version,
        cohort_key,
        agent_key,
        stint_share,
        weight_variant,
        metric_id,
        metric_version,
        nominal_weight,
        weight_factor,
        effective_weight,
        shown_weight,
        raw_value,
        n,
        interval_low,
        interval_high,
        shrunk_value,
        scored_value,
        curve_id,
        curve_score,
        points,
        curve_score_range,
        has_own_data,
        na_reason,
        finding,
        reason_zh,
        reason_en
    from pointed

    union all

    select
        agents.period_id,
        agents.plan_id,
        agents.plan_version,
        agents.cohort_key,
        agents.agent_key,
        agents.stint_share,
        totals.weight_variant,
        'bonus_malus' as metric_id,
        null::integer as metric_version,
        0 as nominal_weight,
        null::numeric as weight_factor,
        0 as effective_weight,
        0 as shown_weight,
        null::numeric as raw_value,
        null::bigint as n,
        null::numeric as interval_low,
        null::numeric as interval_high,
        null::numeric as shrunk_value,
        null::numeric as scored_value,
        null as curve_id,
        null::numeric as curve_score,
        greatest(
            round(
                least(defaults.bonus_malus, greatest(-defaults.bonus_malus, extra.extra_points)), defaults.store_places
            ),
            -totals.total_points
        ) as points,
        null::numeric as curve_score_range,
        false as has_own_data,
        null as na_reason,
        null as finding,
        extra.reason_zh,
        extra.reason_en
    from extra
    inner join agents
        on extra.agent_key = agents.agent_key and agents.is_last_stint
    inner join totals
        on extra.agent_key = totals.agent_key
    cross join defaults

)

select
    listed.period_id::text as period_id,
    listed.plan_id::text as plan_id,
    listed.plan_version::integer as plan_version,
    listed.cohort_key::text as cohort_key,
    listed.agent_key::text as agent_key,
    listed.metric_id::text as metric_id,
    listed.metric_version::integer as metric_version,
    (listed.weight_variant = 'adjusted')::boolean as is_adjusted,
    listed.stint_share::numeric as stint_share,
    listed.nominal_weight::numeric as nominal_weight,
    listed.weight_factor::numeric as weight_factor,
    listed.effective_weight::numeric as effective_weight,
    listed.shown_weight::numeric as shown_weight,
    listed.raw_value::numeric as raw_value,
    listed.n::bigint as n,
    listed.interval_low::numeric as interval_low,
    listed.interval_high::numeric as interval_high,
    listed.shrunk_value::numeric as shrunk_value,
    listed.scored_value::numeric as scored_value,
    listed.curve_id::text as curve_id,
    listed.curve_score::numeric as curve_score,
    listed.points::numeric as points,
    coalesce(
        max(listed.effective_weight) filter (where listed.weight_variant = 'unadjusted') over of_metric, 0
    )::numeric as unadjusted_weight,
    coalesce(
        max(listed.points) filter (where listed.weight_variant = 'unadjusted') over of_metric, 0
    )::numeric as unadjusted_points,
    listed.curve_score_range::numeric as curve_score_range,
    listed.has_own_data::boolean as has_own_data,
    listed.na_reason::text as na_reason,
    listed.finding::text as finding,
    listed.reason_zh::text as reason_zh,
    listed.reason_en::text as reason_en
from listed
window of_metric as (partition by listed.plan_id, listed.agent_key, listed.metric_id)
