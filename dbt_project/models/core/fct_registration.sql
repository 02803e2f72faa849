{{ config(indexes=[{'columns': ['registration_key'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with registrations as (

    select * from {{ ref('int_registration') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

ranked as (

    select
        registrations.*,
        row_number() over (
            partition by registrations.is_verified, registrations.device_id
            order by registrations.registered_at, registrations.registration_key
        ) as device_rank,
        row_number() over (
            partition by registrations.is_verified, registrations.customer_key
            order by registrations.registered_at, registrations.registration_key
        ) as customer_rank,
        {{ local_date('registrations.registered_at', 'site') }} as business_date
    from registrations
    cross join site

),

ruled as (

    select
        *,
        case
            when not is_verified then 'unverified'
            when device_id is not null and device_rank > 1 then 'same_device'
            when customer_key is not null and customer_rank > 1 then 'same_customer'
        end as exclusion_rule
    from ranked

)

select
    ruled.registration_key,
    ruled.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    ruled.registered_at,
    ruled.customer_key,
    ruled.device_id,
    ruled.is_verified,
    ruled.exclusion_rule,
    ruled.exclusion_rule is null as is_counted,
    ruled.business_date
from ruled
left join teams
    on
        ruled.agent_key = teams.agent_key
        and ruled.business_date between teams.valid_from and teams.valid_to
