{{ config(indexes=[{'columns': ['lead_key'], 'unique': true}]) }}

with leads as (

    select * from {{ ref('stg_tabular__lead') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

clocked as (

    select
        leads.*,
        {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as as_of_date
    from leads
    cross join site

)

select
    source_id || ':' || lead_id as lead_key,
    source_id,
    employee_number as agent_key,
    campaign,
    customer_key,
    assigned_on,
    -- The list says how a lead stands today; what was closed after the clocks was still being worked on by them.
    case when closed_on > as_of_date then 'contacted' else status end as status,
    case when closed_on <= as_of_date then closed_on end as closed_on
from clocked
where assigned_on <= as_of_date
