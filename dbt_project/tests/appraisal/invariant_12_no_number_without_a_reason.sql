-- Invariant 12 (reliability.md 10): NULL is 0 in no mart. Where a number is missing a reason stands, where a reason
-- stands nothing counts, and money that nobody could tell is no amount.
select
    'metric_value' as mart,
    unit_key as owner_key,
    metric_id
from {{ ref('metric_value') }}
where (value is null) <> (null_reason is not null)

union all

select
    'target_attainment' as mart,
    unit_key as owner_key,
    metric_id
from {{ ref('target_attainment') }}
where (attainment_ratio is null) <> (null_reason is not null) or (value is null and is_met is not null)

union all

select
    'scored_metric' as mart,
    agent_key as owner_key,
    metric_id
from {{ ref('scored_metric') }}
where (curve_score is null) <> (na_reason is not null)

union all

select
    'score_component' as mart,
    agent_key as owner_key,
    metric_id
from {{ ref('score_component') }}
where
    metric_id not in ('neutral', 'bonus_malus')
    and (
        (curve_score is null) <> (na_reason is not null)
        or (na_reason is not null and (effective_weight <> 0 or points <> 0 or has_own_data))
    )

union all

select
    'score' as mart,
    agent_key as owner_key,
    null as metric_id
from {{ ref('score') }}
where
    (composite is null) <> (status not in ('published', 'under_review'))
    or (composite is null) <> (grade is null)

union all

select
    'payment' as mart,
    agent_key as owner_key,
    null as metric_id
from {{ ref('payment') }}
where
    (amount_fen is null and reason_en is null)
    or (coefficient is null and bonus_fen > 0)
    or (amount_fen is not null and num_nonnulls(bonus_fen, piece_fen, adjustment_fen) = 0)

union all

select
    'metric_reliability' as mart,
    cohort_key as owner_key,
    metric_id
from {{ ref('metric_reliability') }}
where
    reason_en is null
    or (rho is null and state not in ('not_evaluated', 'not_enough_data'))
    or (state in ('not_evaluated', 'not_enough_data') and g_current is not null)

union all

select
    'integrity_finding' as mart,
    agent_key as owner_key,
    metric_id
from {{ ref('integrity_finding') }}
where state in ('not_enough_data', 'not_evaluated') and (q_value is not null or reason_en is null)
