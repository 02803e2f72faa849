with plan_metrics as (

    select
        plan_metrics.*,
        curves.curve_xs,
        curves.curve_ys,
        curves.curve_cap,
        curves.curve_target,
        curves.curve_low,
        curves.curve_high,
        curves.full_points_value
    from {{ ref('stg_cfg__plan_metric') }} as plan_metrics
    inner join {{ ref('int_plan_curve') }} as curves
        on plan_metrics.plan_id = curves.plan_id and plan_metrics.metric_id = curves.metric_id

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

assigned_days as (

    select * from {{ ref('int_plan_agent_day') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

exempt_days as (

    select * from {{ ref('exempt_day') }}
    where unit_kind in ('agent', 'all')

),

-- The days of people who changed plans, each with the plan it is scored by.
plan_days as (

    select
        assigned_days.agent_key,
        assigned_days.plan_id,
        assigned_days.business_date
    from assigned_days
    inner join agents
        on assigned_days.agent_key = agents.agent_key and assigned_days.plan_id = agents.plan_id
    where agents.stint_count > 1

),

-- What slow metrics count of the days before the period goes to the first plan.
counted_days as (

    select
        agent_key,
        plan_id,
        business_date
    from plan_days
    union all
    select
        plan_days.agent_key,
        plan_days.plan_id,
        earlier.midnight::date as business_date
    from plan_days
    inner join period
        on plan_days.business_date = period.period_start
    cross join lateral generate_series(
        period.period_start - (select max(window_days) from {{ ref('int_metric_window') }}),
        period.period_start - interval '1 day',
        interval '1 day'
    ) as earlier (midnight)

),

-- A day without a record has no row in the metric that could say it was exempt. Who was exempt on every day of work has
-- no count of 0.
exempted as (

    select
        assigned_days.agent_key,
        assigned_days.plan_id,
        plan_metrics.metric_id
    from assigned_days
    inner join plan_metrics
        on assigned_days.plan_id = plan_metrics.plan_id
    left join exempt_days
        on
            plan_metrics.metric_id = exempt_days.metric_id
            and assigned_days.business_date = exempt_days.business_date
            and exempt_days.unit_key in (assigned_days.agent_key, 'all')
    where
        assigned_days.in_scope_seconds > 0
        or (assigned_days.is_working_day and assigned_days.is_employed and not assigned_days.is_on_leave)
    group by assigned_days.agent_key, assigned_days.plan_id, plan_metrics.metric_id
    having bool_and(exempt_days.metric_id is not null)

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

defaults as (

    select
        (body #>> '{relative, min_cohort}')::integer as min_relative_cohort,
        (body #>> '{g, zero_below}')::numeric as zero_below,
        (body #>> '{g, full_from}')::numeric as full_from
    from ({{ current_config('defaults') }}) as current_defaults

),

value_rows as (

    select *
    from {{ ref('metric_value') }}
    where unit_kind = 'agent' and period_kind = 'period' and channel = 'all'

),

additive as (

    {{ additive_metrics() }}

),

-- Who changed plans is measured in each on its own days. Distinct counts, percentiles and stocks cannot be taken apart
-- by days: they stay those of the whole period.
stint_values as (

    select
        counted_days.agent_key,
        counted_days.plan_id,
        measured_days.metric_id,
        bool_and(measured_days.is_exempt) as is_exempt,
        sum(measured_days.numerator) as numerator,
        sum(measured_days.denominator) as denominator,
        sum(measured_days.n) as n
    from {{ ref('metric_day') }} as measured_days
    inner join counted_days
        on
            measured_days.unit_kind = 'agent'
            and measured_days.unit_key = counted_days.agent_key
            and measured_days.business_date = counted_days.business_date
    inner join period
        on
            coalesce(measured_days.matured_on, measured_days.business_date)
            between period.period_start and period.period_end
    inner join metrics
        on measured_days.metric_id = metrics.metric_id and measured_days.metric_version = metrics.metric_version
    group by counted_days.agent_key, counted_days.plan_id, measured_days.metric_id

),

estimates as (

    select *
    from {{ source('stats', 'agent_estimate') }}
    where calc_id = '{{ var("calc_id") }}'

),

priors as (

    select *
    from {{ source('stats', 'cohort_reliability') }}
    where calc_id = '{{ var("calc_id") }}'

),

reliability as (

    select * from {{ ref('metric_reliability') }}

),

-- Conduct that one rule finds moves several metrics: what it speaks against is not only what it was tested on.
findings as (

    select
        found.agent_key,
        affected.metric_id,
        case when bool_or(found.state = 'confirmed') then 'confirmed' else 'suspected' end as finding,
        string_agg(found.reason_zh, '；' order by found.rule_id, found.metric_id) as finding_zh,
        string_agg(found.reason_en, '; ' order by found.rule_id, found.metric_id) as finding_en
    from {{ ref('integrity_finding') }} as found
    cross join
        lateral jsonb_array_elements_text(
            jsonb_build_array(found.metric_id) || coalesce(found.also_metric_ids, '[]')
        ) as affected (metric_id)
    where found.state in ('confirmed', 'suspected')
    group by found.agent_key, affected.metric_id

),

-- What the opinions would say if no row had been left out: asked only where a finding is confirmed.
all_rows as (

    select
        findings.agent_key,
        findings.metric_id,
        agents.plan_id,
        count(*) as row_count,
        sum(opinions.row_value) as row_total
    from findings
    inner join {{ ref('evidence_opinion') }} as opinions
        on findings.agent_key = opinions.agent_key and findings.metric_id = opinions.metric_id
    inner join agents
        on findings.agent_key = agents.agent_key
    left join plan_days
        on
            agents.agent_key = plan_days.agent_key
            and agents.plan_id = plan_days.plan_id
            and opinions.business_date = plan_days.business_date
    where
        findings.finding = 'confirmed'
        and opinions.is_in_period
        and not opinions.is_second
        and opinions.row_value is not null
        and (agents.stint_count = 1 or plan_days.business_date is not null)
    group by findings.agent_key, findings.metric_id, agents.plan_id

),

exams as (

    select
        exams.agent_key,
        bool_or(exams.exam_state = 'long_leave') as is_on_long_leave,
        bool_or(exams.zero_reason = 'no_makeup') as is_missed
    from {{ ref('fct_exam') }} as exams
    inner join period
        on exams.business_date between period.period_start and period.period_end
    group by exams.agent_key

),

measured as (

    select
        agents.period_id,
        agents.plan_id,
        agents.plan_version,
        agents.agent_key,
        agents.team_key,
        agents.cohort_key,
        agents.weight_team_key,
        agents.worked_share,
        agents.stint_share,
        plan_metrics.metric_id,
        value_rows.metric_version,
        plan_metrics.curve_id,
        plan_metrics.curve_kind,
        plan_metrics.is_falling,
        plan_metrics.curve_xs,
        plan_metrics.curve_ys,
        plan_metrics.curve_cap,
        plan_metrics.curve_target,
        plan_metrics.curve_low,
        plan_metrics.curve_high,
        plan_metrics.full_points_value,
        plan_metrics.estimate_mode,
        plan_metrics.nominal_weight as plan_weight,
        plan_metrics.nominal_weight
        + coalesce((plan_metrics.overlay_points ->> agents.weight_team_key)::numeric, 0) as nominal_weight,
        coalesce(plan_metrics.min_n, metrics.min_n) as min_n,
        ceil(plan_metrics.quota * agents.worked_share)::integer as quota_due,
        metrics.dimension,
        metrics.metric_type,
        metrics.kind,
        metrics.scale,
        metrics.reliability = 'rating' as is_rating,
        agents.is_on_long_leave
        or (plan_metrics.metric_id = 'exam_score' and coalesce(exams.is_on_long_leave, false)) as is_on_long_leave,
        plan_metrics.metric_id = 'exam_score' and coalesce(exams.is_missed, false) as is_missed_exam,
        value_rows.null_reason,
        exempted.metric_id is not null or case
            when stint_values.metric_id is not null then stint_values.is_exempt
            else value_rows.null_reason = 'exempt'
        end as is_exempt,
        case
            when agents.stint_count = 1 or additive.metric_id is null or metrics.kind = 'last' then value_rows.n
            else coalesce(stint_values.n, 0)
        end as n,
        case
            when agents.stint_count = 1 or additive.metric_id is null or metrics.kind = 'last' then value_rows.numerator
            -- What is measured and has no record on these days is 0.
            when value_rows.numerator is not null then coalesce(stint_values.numerator, 0)
        end as numerator,
        case
            when agents.stint_count = 1 or additive.metric_id is null or metrics.kind = 'last'
                then value_rows.denominator
            when value_rows.denominator is not null then coalesce(stint_values.denominator, 0)
        end as denominator,
        -- A count is compared with the target of the hours it was made in: of the stint, or of the whole period.
        case
            when metrics.kind <> 'sum' then 1
            when agents.stint_count = 1 or additive.metric_id is null then coalesce(nullif(agents.worked_share, 0), 1)
            else coalesce(nullif(agents.worked_share * agents.stint_share, 0), 1)
        end as target_share,
        -- A new hire is asked for less; a band has no less.
        case
            when coalesce(plan_metrics.is_ramped, metrics.kind = 'sum') and plan_metrics.curve_kind <> 'target_band'
                then agents.ramp_share
            else 1
        end as ramp_share,
        case when metrics.metric_type = 'subjective' then reliability.weight_factor else 1 end as cohort_factor,
        reliability.state,
        reliability.reason_zh as reliability_zh,
        reliability.reason_en as reliability_en,
        estimates.shrunk_value,
        estimates.rho_agent,
        coalesce(estimates.interval_low, case when agents.stint_count = 1 then value_rows.interval_low end)
            as interval_low,
        coalesce(estimates.interval_high, case when agents.stint_count = 1 then value_rows.interval_high end)
            as interval_high,
        findings.finding,
        findings.finding_zh,
        findings.finding_en,
        defaults.min_relative_cohort,
        defaults.zero_below,
        defaults.full_from,
        all_rows.row_count as all_row_count,
        case
            when plan_metrics.estimate_mode = 'shrink' and priors.prior_strength is not null
                then
                    (all_rows.row_total + priors.cohort_mean * priors.prior_strength)
                    / (all_rows.row_count + priors.prior_strength)
            else all_rows.row_total / all_rows.row_count
        end as all_rows_estimate
    from agents
    inner join plan_metrics
        on agents.plan_id = plan_metrics.plan_id and agents.plan_version = plan_metrics.plan_version
    inner join metrics
        on plan_metrics.metric_id = metrics.metric_id
    cross join defaults
    left join additive
        on plan_metrics.metric_id = additive.metric_id
    left join value_rows
        on agents.agent_key = value_rows.unit_key and plan_metrics.metric_id = value_rows.metric_id
    left join stint_values
        on
            agents.agent_key = stint_values.agent_key
            and agents.plan_id = stint_values.plan_id
            and plan_metrics.metric_id = stint_values.metric_id
    left join exempted
        on
            agents.agent_key = exempted.agent_key
            and agents.plan_id = exempted.plan_id
            and plan_metrics.metric_id = exempted.metric_id
    left join estimates
        on
            agents.period_id = estimates.period_id
            and agents.cohort_key = estimates.cohort_key
            and agents.agent_key = estimates.agent_key
            and plan_metrics.metric_id = estimates.metric_id
    left join priors
        on
            agents.period_id = priors.period_id
            and agents.cohort_key = priors.cohort_key
            and plan_metrics.metric_id = priors.metric_id
    left join reliability
        on
            agents.period_id = reliability.period_id
            and agents.cohort_key = reliability.cohort_key
            and plan_metrics.metric_id = reliability.metric_id
    left join findings
        on agents.agent_key = findings.agent_key and plan_metrics.metric_id = findings.metric_id
    left join all_rows
        on
            agents.agent_key = all_rows.agent_key
            and agents.plan_id = all_rows.plan_id
            and plan_metrics.metric_id = all_rows.metric_id
    left join exams
        on agents.agent_key = exams.agent_key

),

valued as (

    select
        *,
        case
            when kind = 'ratio' then scale * numerator / nullif(denominator, 0)
            -- Shares of a month are fractions; their last decimals are no excess.
            when kind = 'excess' and numerator is not null and denominator is not null
                then round(greatest(numerator - denominator, 0), 9)
            when kind <> 'excess' then numerator
        end as raw_value,
        -- A subjective metric with few rows keeps its weight: few opinions must not free anybody of them (4.1).
        case
            when null_reason in ('not_measured', 'source_missing') then 'not_measured'
            when is_exempt then 'exempt'
            when coalesce(n, 0) = 0 and is_on_long_leave then 'long_leave'
            when metric_type = 'subjective' and shrunk_value is not null and estimate_mode <> 'suppress' then null
            -- None of what is counted is a 0 and no lack of data, the best there is of faults. Work that nobody of the
            -- team has is not theirs.
            when
                metric_type <> 'subjective'
                and kind in ('sum', 'excess', 'last')
                and numerator is not null
                and (n > 0 or (worked_share > 0 and (is_falling or max(n) over of_team > 0)))
                then null
            when coalesce(n, 0) = 0 and (metric_type <> 'subjective' or shrunk_value is null) then 'not_applicable'
            when coalesce(n, 0) < min_n then 'below_min_n'
        end as own_na_reason,
        -- Mode downweight: what the agent's own few or picked opinions are worth, on the scale of the cohort's trust.
        case
            when metric_type <> 'subjective' then 1
            when estimate_mode <> 'downweight' or rho_agent is null then cohort_factor
            when rho_agent < zero_below then least(cohort_factor, 0)
            when rho_agent < full_from then least(cohort_factor, rho_agent)
            else cohort_factor
        end as own_factor
    from measured
    window of_team as (partition by cohort_key, weight_team_key, metric_id)

),

chosen as (

    select
        *,
        -- The plan's curve asks for targets of a full period and a settled agent; less is asked in proportion.
        case
            when own_na_reason is not null then null
            when metric_type = 'subjective' and (estimate_mode = 'shrink' or raw_value is null) then shrunk_value
            when is_falling then raw_value / target_share * ramp_share
            else raw_value / target_share / ramp_share
        end as scored_value,
        metric_type = 'subjective' and estimate_mode = 'jd_count' and is_rating and coalesce(n, 0) > 0 as is_counted
    from valued

),

-- Places in the cohort, for curves that are relative to it alone.
places as (

    select
        plan_id,
        agent_key,
        metric_id,
        count(*) over (partition by cohort_key, metric_id) as cohort_size,
        rank() over (
            partition by cohort_key, metric_id
            order by scored_value * case when is_falling then -1 else 1 end
        ) - 1 as worse_count,
        count(*) over (partition by cohort_key, metric_id, scored_value) as tie_count
    from chosen
    where curve_kind = 'relative' and scored_value is not null

),

ranked as (

    select
        chosen.*,
        places.cohort_size,
        places.worse_count,
        places.tie_count
    from chosen
    left join places
        on
            chosen.plan_id = places.plan_id
            and chosen.agent_key = places.agent_key
            and chosen.metric_id = places.metric_id

),

scored as (

    select
        ranked.*,
        case
            when ranked.curve_kind = 'relative' and ranked.scored_value is not null
                then
                    case
                        when ranked.cohort_size >= ranked.min_relative_cohort
                            then {{ relative_score('ranked.worse_count', 'ranked.tie_count', 'ranked.cohort_size') }}
                    end
            when ranked.is_counted
                then {{ counted_score('ranked.raw_value', 'ranked.n', 'coalesce(ranked.full_points_value, 1)') }}
            else {{ curve_score('ranked.scored_value', 'ranked') }}
        end as own_score,
        case
            when ranked.is_counted
                then {{ counted_score('ranked.interval_low', 'ranked.n', 'coalesce(ranked.full_points_value, 1)') }}
            else {{ curve_score('ranked.interval_low', 'ranked') }}
        end as curve_score_low,
        case
            when ranked.is_counted
                then {{ counted_score('ranked.interval_high', 'ranked.n', 'coalesce(ranked.full_points_value, 1)') }}
            else {{ curve_score('ranked.interval_high', 'ranked') }}
        end as curve_score_high,
        case
            when ranked.is_counted and ranked.all_row_count > 0
                then
                    {{ counted_score('ranked.all_rows_estimate', 'ranked.all_row_count',
                                     'coalesce(ranked.full_points_value, 1)') }}
            else {{ curve_score('ranked.all_rows_estimate', 'ranked') }}
        end as all_rows_score
    from ranked

),

-- A curve relative to a cohort that is too small says nothing about anybody.
settled as (

    select
        *,
        case
            when own_na_reason is null and curve_kind = 'relative' and own_score is null then 'not_applicable'
            else own_na_reason
        end as na_reason
    from scored

),

-- The middle and the lower quarter of everybody's own scores; asked only where a finding is confirmed.
cohort_scores as (

    select
        cohort_key,
        metric_id,
        round(percentile_cont(0.5) within group (order by own_score)::numeric, 10) as cohort_median_score,
        round(percentile_cont(0.25) within group (order by own_score)::numeric, 10) as cohort_low_score
    from settled
    where
        own_score is not null
        and exists (
            select 1
            from findings
            where findings.metric_id = settled.metric_id and findings.finding = 'confirmed'
        )
    group by cohort_key, metric_id

)

select
    settled.period_id,
    settled.plan_id,
    settled.plan_version,
    settled.agent_key,
    settled.team_key,
    settled.cohort_key,
    settled.stint_share,
    settled.metric_id,
    settled.metric_version,
    settled.curve_id,
    settled.curve_kind,
    settled.is_falling,
    settled.estimate_mode,
    settled.plan_weight,
    settled.nominal_weight,
    settled.dimension,
    settled.metric_type,
    settled.kind,
    settled.min_n,
    settled.quota_due,
    settled.n,
    settled.own_factor as weight_factor,
    settled.cohort_factor,
    settled.state,
    settled.reliability_zh,
    settled.reliability_en,
    settled.raw_value,
    settled.shrunk_value,
    settled.interval_low,
    settled.interval_high,
    settled.target_share,
    settled.ramp_share,
    settled.na_reason,
    settled.is_missed_exam,
    case when settled.na_reason is null then settled.scored_value end as scored_value,
    case when settled.na_reason is null then settled.own_score end as curve_score,
    case when settled.na_reason is null then settled.curve_score_low end as curve_score_low,
    case when settled.na_reason is null then settled.curve_score_high end as curve_score_high,
    settled.finding,
    settled.finding_zh,
    settled.finding_en,
    case when settled.finding = 'confirmed' then settled.all_rows_score end as all_rows_score,
    case when settled.finding = 'confirmed' then cohort_scores.cohort_median_score end as cohort_median_score,
    case when settled.finding = 'confirmed' then cohort_scores.cohort_low_score end as cohort_low_score,
    -- Kept whatever the agent's own data say; nobody can be held against a metric that nobody has.
    coalesce(settled.finding = 'confirmed', false) and cohort_scores.cohort_median_score is not null as is_kept
from settled
left join cohort_scores
    on settled.cohort_key = cohort_scores.cohort_key and settled.metric_id = cohort_scores.metric_id
