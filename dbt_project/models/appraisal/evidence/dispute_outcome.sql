{{ config(indexes=[{'columns': ['dispute_id'], 'unique': true}]) }}

with disputes as (

    select * from {{ source('payroll', 'dispute_status') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        disputes.dispute_id,
        disputes.period_id,
        disputes.agent_key,
        disputes.object_kind,
        disputes.row_kind,
        disputes.row_key,
        disputes.metric_id,
        disputes.fact_key,
        disputes.scorer_key as rater_key,
        disputes.level as decided_level,
        disputes.outcome,
        disputes.is_overturned,
        {{ local_date('disputes.submitted_at', 'site') }} as submitted_on,
        {{ local_date('disputes.decided_at', 'site') }} as decided_on
    from disputes
    cross join site
    where disputes.outcome is not null

)

select
    dated.*,
    -- On the level that stands.
    dated.decided_on - dated.submitted_on as days_to_decide
from dated
