-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/metrics/ instead.
with period as (

    select
        period_start,
        period_end
    from {{ ref('stg_cfg__period') }}

),

defaults as (

    select (body #>> '{rho, doubles_window_days}')::integer as doubles_window_days
    from ({{ current_config('defaults') }}) as current_defaults

),

-- Opinions of the period count for agents; those of the days before it only tell how well raters agree.
span as (

    select
        period.period_start,
        period.period_end as last_date,
        period.period_end - defaults.doubles_window_days + 1 as first_double_date
    from period
    cross join defaults

),

opinions as (

    select
        'ces' as metric_id,
        rating_key as row_key,
        coalesce(conversation_key, rating_key) as contact_key,
        agent_key,
        null::text as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(is_distrusted) as is_distrusted,
        (
            coalesce(sum(
                case when instrument_kind = 'ces' then rating_points * credit_share end
            ), 0)::numeric
            / nullif(sum(
                case when instrument_kind = 'ces' then credit_share end
            ), 0)
        )::numeric as row_value,
        1::numeric as scale_low,
        5.999999999999999999999999999::numeric as scale_length
    from {{ ref('fct_rating_credit') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (instrument_kind = 'ces')
        and not {{ is_exempt('ces', 'rated.agent_key', 'rated.business_date') }}
    group by
        rating_key,
        coalesce(conversation_key, rating_key),
        agent_key,
        business_date

    union all

    select
        'csat_rate' as metric_id,
        rating_key as row_key,
        coalesce(conversation_key, rating_key) as contact_key,
        agent_key,
        null::text as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(is_distrusted) as is_distrusted,
        (
            coalesce(sum(
                case when is_top_box and instrument_kind = 'csat' then credit_share end
            ), 0)::numeric
            / nullif(sum(
                case when instrument_kind = 'csat' then credit_share end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        1::numeric as scale_length
    from {{ ref('fct_rating_credit') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (instrument_kind = 'csat')
        and not {{ is_exempt('csat_rate', 'rated.agent_key', 'rated.business_date') }}
    group by
        rating_key,
        coalesce(conversation_key, rating_key),
        agent_key,
        business_date

    union all

    select
        'csat_score' as metric_id,
        rating_key as row_key,
        coalesce(conversation_key, rating_key) as contact_key,
        agent_key,
        null::text as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(is_distrusted) as is_distrusted,
        (
            coalesce(sum(
                case when instrument_kind = 'csat' then rating_points * credit_share end
            ), 0)::numeric
            / nullif(sum(
                case when instrument_kind = 'csat' then credit_share end
            ), 0)
        )::numeric as row_value,
        1::numeric as scale_low,
        4::numeric as scale_length
    from {{ ref('fct_rating_credit') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (instrument_kind = 'csat')
        and not {{ is_exempt('csat_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        rating_key,
        coalesce(conversation_key, rating_key),
        agent_key,
        business_date

    union all

    select
        'daily_appraisal_score' as metric_id,
        form_key as row_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end) as contact_key,
        agent_key,
        rater_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_final) as is_valid,
        max(case when exclusion_reason in ('rated_oneself', 'approved_oneself') then 'V11' end) as exclusion_rule,
        bool_or(coalesce(exclusion_reason in ('rated_oneself', 'approved_oneself'), false)) as is_distrusted,
        (
            coalesce(sum(
                case when form_kind = 'daily_appraisal' then form_score end
            ), 0)::numeric
            / nullif(sum(
                case when form_kind = 'daily_appraisal' and form_score is not null then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_daily_form') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (form_kind = 'daily_appraisal' and form_score is not null)
        and not {{ is_exempt('daily_appraisal_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        form_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end),
        agent_key,
        rater_key,
        business_date

    union all

    select
        'dissatisfied_rate' as metric_id,
        rating_key as row_key,
        coalesce(conversation_key, rating_key) as contact_key,
        agent_key,
        null::text as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(is_distrusted) as is_distrusted,
        (
            coalesce(sum(
                case when is_bottom_box and instrument_kind = 'csat' then credit_share end
            ), 0)::numeric
            / nullif(sum(
                case when instrument_kind = 'csat' then credit_share end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        1::numeric as scale_length
    from {{ ref('fct_rating_credit') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (instrument_kind = 'csat')
        and not {{ is_exempt('dissatisfied_rate', 'rated.agent_key', 'rated.business_date') }}
    group by
        rating_key,
        coalesce(conversation_key, rating_key),
        agent_key,
        business_date

    union all

    select
        'etiquette_score' as metric_id,
        review_key as row_key,
        coalesce(conversation_key, review_key) as contact_key,
        agent_key,
        reviewer_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(is_blind) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(exclusion_rule is not distinct from 'V11') as is_distrusted,
        (
            100 * coalesce(sum(
                case when is_applicable and item_group = 'etiquette' then weight * mark_share end
            ), 0)::numeric
            / nullif(sum(
                case when is_applicable and item_group = 'etiquette' then weight end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_qa_item') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (is_applicable and item_group = 'etiquette')
        and not {{ is_exempt('etiquette_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        review_key,
        coalesce(conversation_key, review_key),
        agent_key,
        reviewer_key,
        business_date

    union all

    select
        'fcr_survey' as metric_id,
        rating_key as row_key,
        coalesce(conversation_key, rating_key) as contact_key,
        agent_key,
        null::text as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(is_distrusted) as is_distrusted,
        (
            coalesce(sum(
                case when is_top_box and instrument_kind = 'resolved' then credit_share end
            ), 0)::numeric
            / nullif(sum(
                case when instrument_kind = 'resolved' then credit_share end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        1::numeric as scale_length
    from {{ ref('fct_rating_credit') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (instrument_kind = 'resolved')
        and not {{ is_exempt('fcr_survey', 'rated.agent_key', 'rated.business_date') }}
    group by
        rating_key,
        coalesce(conversation_key, rating_key),
        agent_key,
        business_date

    union all

    select
        'initiative_score' as metric_id,
        form_key as row_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end) as contact_key,
        agent_key,
        rater_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_final) as is_valid,
        max(case when exclusion_reason in ('rated_oneself', 'approved_oneself') then 'V11' end) as exclusion_rule,
        bool_or(coalesce(exclusion_reason in ('rated_oneself', 'approved_oneself'), false)) as is_distrusted,
        (
            coalesce(sum(
                case when form_kind = 'daily_appraisal' then initiative_score end
            ), 0)::numeric
            / nullif(sum(
                case when form_kind = 'daily_appraisal' and initiative_score is not null then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_daily_form') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (form_kind = 'daily_appraisal' and initiative_score is not null)
        and not {{ is_exempt('initiative_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        form_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end),
        agent_key,
        rater_key,
        business_date

    union all

    select
        'manager_rating' as metric_id,
        form_key as row_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end) as contact_key,
        agent_key,
        rater_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_final) as is_valid,
        max(case when exclusion_reason in ('rated_oneself', 'approved_oneself') then 'V11' end) as exclusion_rule,
        bool_or(coalesce(exclusion_reason in ('rated_oneself', 'approved_oneself'), false)) as is_distrusted,
        (
            coalesce(sum(
                case when form_kind = 'manager_rating' then form_score end
            ), 0)::numeric
            / nullif(sum(
                case when form_kind = 'manager_rating' and form_score is not null then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_daily_form') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (form_kind = 'manager_rating' and form_score is not null)
        and not {{ is_exempt('manager_rating', 'rated.agent_key', 'rated.business_date') }}
    group by
        form_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end),
        agent_key,
        rater_key,
        business_date

    union all

    select
        'peer_rating' as metric_id,
        form_key as row_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end) as contact_key,
        agent_key,
        rater_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_final) as is_valid,
        max(case when exclusion_reason in ('rated_oneself', 'approved_oneself') then 'V11' end) as exclusion_rule,
        bool_or(coalesce(exclusion_reason in ('rated_oneself', 'approved_oneself'), false)) as is_distrusted,
        (
            coalesce(sum(
                case when form_kind = 'peer_rating' then form_score end
            ), 0)::numeric
            / nullif(sum(
                case when form_kind = 'peer_rating' and form_score is not null then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_daily_form') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (form_kind = 'peer_rating' and form_score is not null)
        and not {{ is_exempt('peer_rating', 'rated.agent_key', 'rated.business_date') }}
    group by
        form_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end),
        agent_key,
        rater_key,
        business_date

    union all

    select
        'professionalism_score' as metric_id,
        review_key as row_key,
        coalesce(conversation_key, review_key) as contact_key,
        agent_key,
        reviewer_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(is_blind) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(exclusion_rule is not distinct from 'V11') as is_distrusted,
        (
            100 * coalesce(sum(
                case when is_applicable and item_group = 'professionalism' then weight * mark_share end
            ), 0)::numeric
            / nullif(sum(
                case when is_applicable and item_group = 'professionalism' then weight end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_qa_item') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (is_applicable and item_group = 'professionalism')
        and not {{ is_exempt('professionalism_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        review_key,
        coalesce(conversation_key, review_key),
        agent_key,
        reviewer_key,
        business_date

    union all

    select
        'qa_critical_error_rate' as metric_id,
        review_key as row_key,
        coalesce(conversation_key, review_key) as contact_key,
        agent_key,
        reviewer_key as rater_key,
        max(form_version) as form_key,
        business_date,
        bool_or(is_blind) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(exclusion_rule is not distinct from 'V11') as is_distrusted,
        (
            coalesce(sum(
                case when is_fatal then 1 end
            ), 0)::numeric
            / nullif(sum(
                case when true then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        1::numeric as scale_length
    from {{ ref('fct_qa_review') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (true)
        and not {{ is_exempt('qa_critical_error_rate', 'rated.agent_key', 'rated.business_date') }}
    group by
        review_key,
        coalesce(conversation_key, review_key),
        agent_key,
        reviewer_key,
        business_date

    union all

    select
        'qa_listening_score' as metric_id,
        review_key as row_key,
        coalesce(conversation_key, review_key) as contact_key,
        agent_key,
        reviewer_key as rater_key,
        max(form_version) as form_key,
        business_date,
        bool_or(is_blind) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(exclusion_rule is not distinct from 'V11') as is_distrusted,
        (
            coalesce(sum(
                case when true then review_score end
            ), 0)::numeric
            / nullif(sum(
                case when true then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_qa_review') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (true)
        and not {{ is_exempt('qa_listening_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        review_key,
        coalesce(conversation_key, review_key),
        agent_key,
        reviewer_key,
        business_date

    union all

    select
        'solution_depth_score' as metric_id,
        review_key as row_key,
        coalesce(conversation_key, review_key) as contact_key,
        agent_key,
        reviewer_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(is_blind) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(exclusion_rule) as exclusion_rule,
        bool_or(exclusion_rule is not distinct from 'V11') as is_distrusted,
        (
            100 * coalesce(sum(
                case when is_applicable and item_group = 'solution_depth' then weight * mark_share end
            ), 0)::numeric
            / nullif(sum(
                case when is_applicable and item_group = 'solution_depth' then weight end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_qa_item') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (is_applicable and item_group = 'solution_depth')
        and not {{ is_exempt('solution_depth_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        review_key,
        coalesce(conversation_key, review_key),
        agent_key,
        reviewer_key,
        business_date

    union all

    select
        'teamwork_score' as metric_id,
        form_key as row_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end) as contact_key,
        agent_key,
        rater_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_final) as is_valid,
        max(case when exclusion_reason in ('rated_oneself', 'approved_oneself') then 'V11' end) as exclusion_rule,
        bool_or(coalesce(exclusion_reason in ('rated_oneself', 'approved_oneself'), false)) as is_distrusted,
        (
            coalesce(sum(
                case when form_kind = 'daily_appraisal' then teamwork_score end
            ), 0)::numeric
            / nullif(sum(
                case when form_kind = 'daily_appraisal' and teamwork_score is not null then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        100::numeric as scale_length
    from {{ ref('fct_daily_form') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (form_kind = 'daily_appraisal' and teamwork_score is not null)
        and not {{ is_exempt('teamwork_score', 'rated.agent_key', 'rated.business_date') }}
    group by
        form_key,
        concat_ws(' ', agent_key, form_kind, case when form_kind = 'daily_appraisal' then business_date::text else to_char(business_date, 'YYYY-MM') end),
        agent_key,
        rater_key,
        business_date

    union all

    select
        'work_order_entry_compliance' as metric_id,
        audit_key as row_key,
        ticket_key as contact_key,
        agent_key,
        auditor_key as rater_key,
        null::text as form_key,
        business_date,
        bool_or(false) as is_second,
        bool_or(is_valid_for_score) as is_valid,
        max(case when not is_valid_for_score then 'V11' end) as exclusion_rule,
        bool_or(not is_valid_for_score) as is_distrusted,
        (
            coalesce(sum(
                case when is_entry_compliant then 1 end
            ), 0)::numeric
            / nullif(sum(
                case when true then 1 end
            ), 0)
        )::numeric as row_value,
        0::numeric as scale_low,
        1::numeric as scale_length
    from {{ ref('fct_work_order_audit') }} as rated
    where
        agent_key is not null
        and business_date >= (select least(period_start, first_double_date) from span)
        and business_date <= (select last_date from span)
        and (true)
        and not {{ is_exempt('work_order_entry_compliance', 'rated.agent_key', 'rated.business_date') }}
    group by
        audit_key,
        ticket_key,
        agent_key,
        auditor_key,
        business_date

)

select
    opinions.metric_id,
    opinions.row_key,
    opinions.contact_key,
    opinions.agent_key,
    opinions.rater_key,
    opinions.form_key,
    opinions.business_date,
    opinions.business_date >= span.period_start as is_in_period,
    opinions.is_second,
    opinions.is_valid,
    opinions.exclusion_rule,
    opinions.is_distrusted,
    opinions.row_value,
    (opinions.row_value - opinions.scale_low) / opinions.scale_length as place_on_scale
from opinions
cross join span
where opinions.business_date >= span.period_start or opinions.rater_key is not null
