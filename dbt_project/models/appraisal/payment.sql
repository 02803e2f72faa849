with scores as (

    select * from {{ ref('score') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

value_rows as (

    select
        unit_key,
        metric_id,
        n,
        numerator,
        value
    from {{ ref('metric_value') }}
    where unit_kind = 'agent' and period_kind = 'period' and channel = 'all'

),

plan_days as (

    select * from {{ ref('int_plan_agent_day') }}

),

-- The coefficient of a score lies straight between the plan's knots and is level beyond them.
curves as (

    select
        plans.plan_id,
        array_agg((knot.body ->> 0)::numeric order by (knot.body ->> 0)::numeric) as xs,
        array_agg((knot.body ->> 1)::numeric order by (knot.body ->> 0)::numeric) as ys
    from plans
    cross join lateral jsonb_array_elements(plans.coef_knots) as knot (body)
    group by plans.plan_id

),

-- The last three composites that were locked before this period.
earlier as (

    select
        closed.agent_key,
        round(avg(closed.composite), 2) as mean_composite,
        count(*) as closed_count
    from (
        select
            scored.agent_key,
            scored.composite,
            row_number() over (partition by scored.agent_key order by periods.period_end desc) as recency
        from {{ source('payroll', 'closed_score') }} as scored
        inner join {{ source('payroll', 'closed_period') }} as periods
            on scored.period_id = periods.period_id
        inner join period
            on periods.period_mode = period.period_mode and periods.period_end < period.period_start
        where scored.composite is not null
    ) as closed
    where closed.recency <= 3
    group by closed.agent_key

),

adjustments as (

    select
        adjusted.agent_key,
        sum(adjusted.amount_fen) as adjustment_fen
    from {{ source('payroll', 'approved_adjustment') }} as adjusted
    inner join period
        on adjusted.to_period_id = period.period_id
    group by adjusted.agent_key

),

-- Base and gates of money follow the plans of all stints by hours; coefficient, fallback and pool those of the last.
bases as (

    select
        agents.agent_key,
        round(sum(agents.stint_share * plans.base_fen))::bigint as base_fen
    from agents
    inner join plans
        on agents.plan_id = plans.plan_id
    group by agents.agent_key

),

stint_counts as (

    select
        plan_days.agent_key,
        plan_days.plan_id,
        sum(measured_days.numerator) as piece_count
    from plan_days
    inner join plans
        on plan_days.plan_id = plans.plan_id
    inner join agents
        on
            plan_days.agent_key = agents.agent_key
            and plan_days.plan_id = agents.plan_id
            and agents.stint_count > 1
    inner join {{ ref('metric_day') }} as measured_days
        on
            measured_days.unit_kind = 'agent'
            and plan_days.agent_key = measured_days.unit_key
            and plan_days.business_date = measured_days.business_date
            and plans.piece_metric_id = measured_days.metric_id
    inner join metrics
        on measured_days.metric_id = metrics.metric_id and measured_days.metric_version = metrics.metric_version
    group by plan_days.agent_key, plan_days.plan_id

),

pieces as (

    select
        agents.agent_key,
        agents.plan_id,
        plans.piece_baseline,
        plans.piece_unit_rate_fen,
        plans.piece_k_qa,
        agents.worked_share * agents.stint_share as stint_worked_share,
        case
            when agents.stint_count = 1 then coalesce(counts.numerator, 0)
            else coalesce(stint_counts.piece_count, 0)
        end as piece_count,
        -- The estimate the score uses, where the plan scores the metric too.
        coalesce(components.scored_value, qualities.value) as quality_value
    from agents
    inner join plans
        on agents.plan_id = plans.plan_id
    left join value_rows as counts
        on agents.agent_key = counts.unit_key and plans.piece_metric_id = counts.metric_id
    left join stint_counts
        on agents.agent_key = stint_counts.agent_key and agents.plan_id = stint_counts.plan_id
    left join value_rows as qualities
        on agents.agent_key = qualities.unit_key and plans.piece_quality_metric_id = qualities.metric_id
    left join {{ ref('score_component') }} as components
        on
            agents.plan_id = components.plan_id
            and agents.agent_key = components.agent_key
            and plans.piece_quality_metric_id = components.metric_id
            and components.is_adjusted
    where plans.piece_metric_id is not null

),

factored as (

    select
        pieces.*,
        greatest(0, pieces.piece_count - pieces.piece_baseline * pieces.stint_worked_share) as paid_count,
        -- Without any review the factor neither adds nor takes.
        case
            when pieces.quality_value is null then 1
            else (
                select factor.share::numeric
                from jsonb_each_text(pieces.piece_k_qa) as factor (least_score, share)
                where pieces.quality_value >= factor.least_score::numeric
                order by factor.least_score::numeric desc
                limit 1
            )
        end as quality_factor
    from pieces

),

piece_lines as (

    select
        agent_key,
        sum(round(paid_count * piece_unit_rate_fen * quality_factor))::bigint as piece_fen,
        string_agg(
            '计件：' || trim_scale(piece_count) || ' 件，超出基数 ' || trim_scale(round(paid_count, 2)) || ' 件 × '
            || trim_scale(piece_unit_rate_fen) || ' 分 × 质检系数 ' || trim_scale(quality_factor), '；' order by plan_id
        ) as reason_zh,
        string_agg(
            'pieces: ' || trim_scale(piece_count) || ', ' || trim_scale(round(paid_count, 2))
            || ' above the baseline x ' || trim_scale(piece_unit_rate_fen) || ' fen x quality factor '
            || trim_scale(quality_factor), '; ' order by plan_id
        ) as reason_en
    from factored
    group by agent_key

),

-- The points that rest on a suspected finding, as a share of the score: the part a plan may hold.
suspected as (

    select
        agent_key,
        sum(points) filter (where finding = 'suspected') / nullif(sum(points), 0) as suspected_share
    from {{ ref('score_component') }}
    where is_adjusted
    group by agent_key

),

open_gates as (

    select agent_key
    from {{ ref('gate_effect') }}
    where effect not in ('bonus', 'malus') and (state = 'unverified' or (state = 'applied' and effect = 'hold'))
    group by agent_key

),

held_gates as (

    select agent_key
    from {{ ref('gate_effect') }}
    where state = 'applied' and effect = 'hold'
    group by agent_key

),

rated as (

    select
        scores.period_id,
        scores.agent_key,
        scores.plan_id,
        scores.team_key,
        scores.status,
        scores.worked_share,
        bases.base_fen,
        plans.pool_budget_fen,
        plans.is_held_under_review,
        plans.base_fen is not null as has_pay_rules,
        piece_lines.piece_fen,
        piece_lines.reason_zh as piece_zh,
        piece_lines.reason_en as piece_en,
        adjustments.adjustment_fen,
        scores.composite as own_composite,
        case when plans.insufficient_evidence_fallback = 'last_composites' then earlier.mean_composite end
            as mean_composite,
        earlier.closed_count,
        scores.highest_score,
        scores.score_factor,
        curves.xs,
        curves.ys,
        coalesce(suspected.suspected_share, 0) as suspected_share,
        open_gates.agent_key is not null as has_open_gate,
        held_gates.agent_key is not null as has_held_gate,
        scores.status = 'insufficient_evidence' as needs_decision
    from scores
    inner join plans
        on scores.plan_id = plans.plan_id
    inner join bases
        on scores.agent_key = bases.agent_key
    left join curves
        on scores.plan_id = curves.plan_id
    left join piece_lines
        on scores.agent_key = piece_lines.agent_key
    left join adjustments
        on scores.agent_key = adjustments.agent_key
    left join earlier
        on scores.agent_key = earlier.agent_key
    left join suspected
        on scores.agent_key = suspected.agent_key
    left join open_gates
        on scores.agent_key = open_gates.agent_key
    left join held_gates
        on scores.agent_key = held_gates.agent_key

),

-- A score has gone through its gates, of which only a capped grade still limits the coefficient; the mean that stands
-- in for a score has gone through none.
gated as (

    select
        *,
        case
            when own_composite is not null then least(own_composite, highest_score)
            when needs_decision and mean_composite is not null
                then least(round(mean_composite * coalesce(score_factor, 1), 2), highest_score)
        end as coefficient_score
    from rated

),

placed as (

    select
        *,
        coalesce(coefficient_score, highest_score) as read_at,
        width_bucket(coalesce(coefficient_score, highest_score), xs) as knot
    from gated

),

curved as (

    select
        *,
        case
            when knot = 0 then ys[1]
            when knot = cardinality(xs) then ys[knot]
            else round(
                ys[knot]
                + (ys[knot + 1] - ys[knot]) * (read_at - xs[knot]) * {{ one() }}
                / (xs[knot + 1] - xs[knot]), 10
            )
        end as coefficient_of_score
    from placed

),

-- Without any score the gates act on the neutral coefficient: at most that of the highest score they leave.
multiplied as (

    select
        *,
        case
            when not has_pay_rules or status in ('withheld', 'too_little_time') then null
            when coefficient_score is null then least(coalesce(score_factor, 1), coefficient_of_score)
            else coefficient_of_score
        end as coefficient
    from curved

),

earned as (

    select
        *,
        case
            when has_pay_rules and status = 'too_little_time' then 0
            else round(base_fen * coefficient * worked_share)
        end as own_bonus_fen,
        case when status <> 'withheld' then piece_fen end as own_piece_fen
    from multiplied

),

-- A pool is shared out in proportion to what everybody earned, to the fen: the parts are cut down to whole fen, and
-- what is left goes one by one to the largest remainders.
pool_lines as (

    select
        earned.plan_id,
        earned.agent_key,
        listed.line_kind,
        listed.amount_fen,
        earned.pool_budget_fen,
        earned.pool_budget_fen * {{ one() }} / sum(listed.amount_fen) over (partition by earned.plan_id) as pool_share
    from earned
    cross join
        lateral (
            values
            ('bonus', earned.own_bonus_fen), ('piece', earned.own_piece_fen)
        ) as listed (line_kind, amount_fen)
    where earned.pool_budget_fen is not null and listed.amount_fen > 0

),

pooled as (

    select
        plan_id,
        agent_key,
        line_kind,
        pool_share,
        div(pool_budget_fen * amount_fen, total_fen)
        + case
            when
                row_number() over (
                    partition by plan_id
                    order by mod(pool_budget_fen * amount_fen, total_fen) desc, agent_key collate "C" asc, line_kind asc
                ) <= pool_budget_fen - sum(div(pool_budget_fen * amount_fen, total_fen)) over (partition by plan_id)
                then 1
            else 0
        end as shared_fen
    from (
        select
            *,
            sum(amount_fen) over (partition by plan_id) as total_fen
        from pool_lines
    ) as shared

),

shares as (

    select
        agent_key,
        max(pool_share) as pool_share,
        sum(shared_fen) filter (where line_kind = 'bonus') as bonus_fen,
        sum(shared_fen) filter (where line_kind = 'piece') as piece_fen
    from pooled
    group by agent_key

),

lined as (

    select
        earned.*,
        shares.pool_share,
        case
            when shares.agent_key is null or earned.own_bonus_fen is null then earned.own_bonus_fen
            else coalesce(shares.bonus_fen, 0)
        end as bonus_fen,
        case
            when shares.agent_key is null or earned.own_piece_fen is null then earned.own_piece_fen
            else coalesce(shares.piece_fen, 0)
        end as piece_fen_paid
    from earned
    left join shares
        on earned.agent_key = shares.agent_key

),

held as (

    select
        *,
        case
            when bonus_fen is null then null
            when has_held_gate or (is_held_under_review and has_open_gate) then bonus_fen
            when is_held_under_review then round(bonus_fen * suspected_share)
            else 0
        end as held_fen
    from lined

)

select
    held.period_id::text as period_id,
    held.agent_key::text as agent_key,
    held.plan_id::text as plan_id,
    held.team_key::text as team_key,
    held.status::text as status,
    held.coefficient_score::numeric as coefficient_score,
    held.coefficient::numeric as coefficient,
    held.worked_share::numeric as worked_share,
    held.base_fen::bigint as base_fen,
    held.bonus_fen::bigint as bonus_fen,
    held.piece_fen_paid::bigint as piece_fen,
    held.adjustment_fen::bigint as adjustment_fen,
    held.held_fen::bigint as held_fen,
    held.pool_share::numeric as pool_share,
    -- A line that does not apply adds nothing; without any line there is no amount.
    case
        when held.status = 'withheld' and held.has_pay_rules then null
        when held.bonus_fen is not null or held.piece_fen_paid is not null or held.adjustment_fen is not null
            then
                coalesce(held.bonus_fen, 0) + coalesce(held.piece_fen_paid, 0) + coalesce(held.adjustment_fen, 0)
                - coalesce(held.held_fen, 0)
    end::bigint as amount_fen,
    held.needs_decision::boolean as needs_decision,
    coalesce(
        held.adjustment_fen < 0
        or held.held_fen > 0
        or held.bonus_fen < round(held.base_fen * held.worked_share), false
    )::boolean as check_min_wage,
    concat_ws(
        '；',
        case
            when not held.has_pay_rules then '方案未规定薪酬'
            when held.status = 'withheld' then '暂不给分，金额待定'
            when held.status = 'too_little_time'
                then '出勤工时仅 ' || round(100 * held.worked_share, 1) || '%，无综合得分与系数，仅导出出勤比例'
            when held.needs_decision and held.mean_composite is not null
                then
                    '证据不足：取最近 ' || held.closed_count || ' 个已锁定周期均分 ' || held.mean_composite
                    || '，须有主管与人事的决定记录'
            when held.needs_decision then '证据不足：取中性系数 1.00，须有主管与人事的决定记录'
        end,
        case
            when held.own_composite > held.coefficient_score
                then '等级受限：系数按该等级的最高分 ' || held.coefficient_score || ' 取'
            when held.needs_decision and held.coefficient_score <> held.mean_composite
                then '一票否决同样适用：系数按 ' || held.coefficient_score || ' 分取'
            when held.needs_decision and held.mean_composite is null and held.coefficient < 1
                then '一票否决同样适用于中性系数'
        end,
        case
            when held.coefficient is not null and held.own_bonus_fen is not null
                then
                    '奖金 = 基数 ' || held.base_fen || ' 分 × 系数 ' || round(held.coefficient, 4) || ' × 出勤 '
                    || round(held.worked_share, 4) || ' = ' || held.own_bonus_fen || ' 分'
        end,
        held.piece_zh,
        case
            when held.pool_share is not null
                then
                    '奖金池：全员按 ' || round(held.pool_share, 6) || ' 折算，奖金 ' || held.bonus_fen || ' 分'
                    || coalesce('，计件 ' || held.piece_fen_paid || ' 分', '')
        end,
        case when held.adjustment_fen is not null then '以前周期更正 ' || held.adjustment_fen || ' 分' end,
        case when held.held_fen > 0 then '审核期间暂缓 ' || held.held_fen || ' 分' end
    )::text as reason_zh,
    concat_ws(
        '; ',
        case
            when not held.has_pay_rules then 'the plan has no rules of pay'
            when held.status = 'withheld' then 'no score yet, so no amount yet'
            when held.status = 'too_little_time'
                then
                    'only ' || round(100 * held.worked_share, 1)
                    || ' % of the hours, so no composite and no coefficient; the share is exported'
            when held.needs_decision and held.mean_composite is not null
                then
                    'insufficient evidence: mean ' || held.mean_composite || ' of the last ' || held.closed_count
                    || ' locked composites, needs a decision record of manager and HR'
            when held.needs_decision
                then 'insufficient evidence: neutral coefficient 1.00, needs a decision record of manager and HR'
        end,
        case
            when held.own_composite > held.coefficient_score
                then
                    'the grade is capped: the coefficient is read at ' || held.coefficient_score
                    || ', the highest score of that grade'
            when held.needs_decision and held.coefficient_score <> held.mean_composite
                then 'gates hold here too: the coefficient is read at ' || held.coefficient_score
            when held.needs_decision and held.mean_composite is null and held.coefficient < 1
                then 'gates hold for the neutral coefficient too'
        end,
        case
            when held.coefficient is not null and held.own_bonus_fen is not null
                then
                    'bonus = base ' || held.base_fen || ' fen x coefficient ' || round(held.coefficient, 4)
                    || ' x worked share ' || round(held.worked_share, 4) || ' = ' || held.own_bonus_fen || ' fen'
        end,
        held.piece_en,
        case
            when held.pool_share is not null
                then
                    'pool: everybody is scaled by ' || round(held.pool_share, 6) || ', bonus ' || held.bonus_fen
                    || ' fen' || coalesce(', pieces ' || held.piece_fen_paid || ' fen', '')
        end,
        case
            when held.adjustment_fen is not null
                then 'correction of earlier periods ' || held.adjustment_fen || ' fen'
        end,
        case when held.held_fen > 0 then held.held_fen || ' fen held while under review' end
    )::text as reason_en
from held
