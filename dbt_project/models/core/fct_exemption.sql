with exemptions as (

    select * from {{ ref('int_exemption') }}

),

today as (

    select {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as today_date
    from {{ ref('stg_cfg__site') }} as site

),

approved as (

    select
        exemptions.source_id,
        exemptions.exemption_id,
        exemptions.metric_id,
        exemptions.scope_kind as unit_kind,
        case when exemptions.scope_kind = 'site' then 'site' else exemptions.scope_key end as unit_key,
        exemptions.starts_on,
        exemptions.ends_on,
        exemptions.reason,
        exemptions.approver_key
    from exemptions
    cross join today
    where
        exemptions.approver_key is not null
        and exemptions.approved_on <= today.today_date
        -- Nobody exempts oneself.
        and not (exemptions.scope_kind = 'agent' and exemptions.approver_key = exemptions.scope_key)

)

select
    approved.source_id || ':' || approved.exemption_id as exemption_key,
    approved.metric_id,
    approved.unit_kind,
    approved.unit_key,
    approved.reason,
    approved.approver_key,
    covered.midnight::date as business_date
from approved
cross join lateral generate_series(approved.starts_on, approved.ends_on, interval '1 day') as covered (midnight)
where approved.unit_key is not null
