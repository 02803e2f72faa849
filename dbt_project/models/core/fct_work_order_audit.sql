{{ moves(dates=['business_date']) }}

with audits as (

    select * from {{ ref('int_work_order_audit') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        audits.*,
        {{ local_date('audits.audited_at', 'site') }} as business_date
    from audits
    cross join site

)

select
    dated.source_id || ':' || dated.audit_id as audit_key,
    dated.source_id || ':' || dated.ticket_id as ticket_key,
    dated.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    dated.auditor_key,
    dated.picked_by,
    dated.is_entry_compliant,
    dated.is_dispatch_correct,
    dated.is_customer_correct,
    -- Nobody audits own work.
    dated.auditor_key <> dated.agent_key as is_valid_for_score,
    dated.audited_at,
    dated.business_date
from dated
left join teams
    on
        dated.agent_key = teams.agent_key
        and dated.business_date between teams.valid_from and teams.valid_to
