{{ config(indexes=[{'columns': ['row_kind', 'row_key'], 'unique': true}]) }}

with decisions as (

    select
        row_kind,
        row_key,
        dispute_id,
        is_excluded,
        row_number() over (partition by row_kind, row_key order by exclusion_id desc) as decision_rank
    from {{ source('ops', 'row_exclusion') }}

),

disputes as (

    select * from {{ source('payroll', 'dispute_status') }}

)

select
    decisions.row_kind,
    decisions.row_key,
    decisions.dispute_id,
    coalesce(disputes.outcome = 'rescored_blind', false) as is_rescored
from decisions
left join disputes
    on decisions.dispute_id = disputes.dispute_id
where decisions.decision_rank = 1 and decisions.is_excluded
