-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
with versions as (

    select * from {{ ref('stg_cfg__parameter') }}

),

starts as (

    select valid_from
    from versions
    group by valid_from

),

ranges as (

    select
        valid_from,
        (lead(valid_from, 1, 'infinity') over (order by valid_from) - interval '1 day')::date as valid_to
    from starts

)

select
    ranges.valid_from,
    ranges.valid_to,
    max(versions.value) filter (where versions.parameter_id = 'first_response_limit_seconds') as first_response_limit_seconds,
    max(versions.value) filter (where versions.parameter_id = 'assignment_response_limit_seconds') as assignment_response_limit_seconds,
    max(versions.value) filter (where versions.parameter_id = 'response_threshold_seconds') as response_threshold_seconds,
    max(versions.value) filter (where versions.parameter_id = 'response_long_threshold_seconds') as response_long_threshold_seconds,
    max(versions.value) filter (where versions.parameter_id = 'service_window_start_hour') as service_window_start_hour,
    max(versions.value) filter (where versions.parameter_id = 'service_window_end_hour') as service_window_end_hour,
    max(versions.value) filter (where versions.parameter_id = 'slow_turn_seconds') as slow_turn_seconds,
    max(versions.value) filter (where versions.parameter_id = 'slow_turn_count') as slow_turn_count,
    max(versions.value) filter (where versions.parameter_id = 'longest_talk_seconds') as longest_talk_seconds,
    max(versions.value) filter (where versions.parameter_id = 'monthly_call_baseline') as monthly_call_baseline,
    max(versions.value) filter (where versions.parameter_id = 'ring_cycle_seconds') as ring_cycle_seconds,
    max(versions.value) filter (where versions.parameter_id = 'rings_allowed') as rings_allowed,
    max(versions.value) filter (where versions.parameter_id = 'fcr_window_days') as fcr_window_days,
    max(versions.value) filter (where versions.parameter_id = 'cancellation_window_days') as cancellation_window_days,
    max(versions.value) filter (where versions.parameter_id = 'complex_case_ratio') as complex_case_ratio,
    max(versions.value) filter (where versions.parameter_id = 'forgotten_logout_minutes') as forgotten_logout_minutes,
    max(versions.value) filter (where versions.parameter_id = 'qa_reviews_per_month') as qa_reviews_per_month,
    max(versions.value) filter (where versions.parameter_id = 'exam_make_up_days') as exam_make_up_days,
    max(versions.value) filter (where versions.parameter_id = 'coaching_window_days') as coaching_window_days,
    max(versions.value) filter (where versions.parameter_id = 'redial_gap_seconds') as redial_gap_seconds,
    max(versions.value) filter (where versions.parameter_id = 'min_effective_talk_seconds') as min_effective_talk_seconds,
    max(versions.value) filter (where versions.parameter_id = 'after_sales_days') as after_sales_days,
    max(versions.value) filter (where versions.parameter_id = 'retention_days') as retention_days,
    max(versions.value) filter (where versions.parameter_id = 'reopen_window_days') as reopen_window_days,
    max(versions.value) filter (where versions.parameter_id = 'enquiry_window_days') as enquiry_window_days,
    max(versions.value) filter (where versions.parameter_id = 'lead_carry_days') as lead_carry_days,
    max(versions.value) filter (where versions.parameter_id = 'short_abandon_seconds') as short_abandon_seconds,
    max(versions.choice) filter (where versions.parameter_id = 'sl_abandon_mode') as sl_abandon_mode,
    max(versions.choice) filter (where versions.parameter_id = 'csat_credit') as csat_credit,
    max(versions.choice) filter (where versions.parameter_id = 'frt_clock_start') as frt_clock_start,
    max(versions.choice) filter (where versions.parameter_id = 'hours_mode') as hours_mode,
    max(versions.choice) filter (where versions.parameter_id = 'bot_counts') as bot_counts,
    max(versions.choice) filter (where versions.parameter_id = 'art_mode') as art_mode,
    max(versions.choice) filter (where versions.parameter_id = 'utilization_base') as utilization_base,
    max(versions.choice) filter (where versions.parameter_id = 'acw_denominator') as acw_denominator,
    max(versions.choice) filter (where versions.parameter_id = 'shift_day_mode') as shift_day_mode,
    max(versions.choice) filter (where versions.parameter_id = 'order_credit') as order_credit
from ranges
inner join versions
    on ranges.valid_from between versions.valid_from and versions.valid_to
group by ranges.valid_from, ranges.valid_to
