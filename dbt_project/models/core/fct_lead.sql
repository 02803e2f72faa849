{{ config(indexes=[{'columns': ['lead_key'], 'unique': true}]) }}
{{ moves(dates=['business_date', 'contact_date']) }}

with leads as (

    select * from {{ ref('int_lead') }}

),

dials as (

    select * from {{ ref('fct_dial') }}
    where lead_key is not null

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter') }}

),

-- An answer of a few seconds is no contact.
dialed as (

    select
        dials.lead_key,
        count(*) filter (where dials.is_counted) as dial_count,
        min(dials.dialed_at) as first_dialed_at,
        min(dials.dialed_at) filter (
            where dials.result = 'answered' and dials.talk_seconds >= parameters.value
        ) as first_contact_at
    from dials
    inner join parameters
        on
            parameters.parameter_id = 'min_effective_talk_seconds'
            and dials.business_date between parameters.valid_from and parameters.valid_to
    group by dials.lead_key

),

listed as (

    select
        leads.*,
        -- What comes on the last days of a month can hardly be worked on within it.
        case
            when
                leads.assigned_on + parameters.value::integer
                >= (date_trunc('month', leads.assigned_on) + interval '1 month')::date
                then (date_trunc('month', leads.assigned_on) + interval '1 month')::date
            else leads.assigned_on
        end as business_date
    from leads
    inner join parameters
        on
            parameters.parameter_id = 'lead_carry_days'
            and leads.assigned_on between parameters.valid_from and parameters.valid_to

)

select
    listed.lead_key,
    listed.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    listed.campaign,
    listed.customer_key,
    listed.assigned_on,
    listed.status,
    listed.closed_on,
    listed.status = 'won' as is_won,
    coalesce(dialed.dial_count, 0)::bigint as dial_count,
    dialed.first_dialed_at,
    dialed.first_contact_at,
    dialed.first_dialed_at is not null as is_dialed,
    dialed.first_contact_at is not null as is_contacted,
    case
        when dialed.first_contact_at is not null
            then {{ agent_business_date('shift', 'dialed.first_contact_at', 'site') }}
    end as contact_date,
    case when dialed.first_contact_at is not null then coalesce(contact_teams.team_key, 'unassigned') end
        as contact_team_key,
    listed.business_date
from listed
cross join site
left join dialed
    on listed.lead_key = dialed.lead_key
left join teams
    on
        listed.agent_key = teams.agent_key
        and listed.business_date between teams.valid_from and teams.valid_to
{{ shift_of('listed.agent_key', 'dialed.first_contact_at', 'site', 'shift') }}
left join teams as contact_teams
    on
        listed.agent_key = contact_teams.agent_key
        and {{ agent_business_date('shift', 'dialed.first_contact_at', 'site') }}
        between contact_teams.valid_from and contact_teams.valid_to
