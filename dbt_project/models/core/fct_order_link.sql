{{ config(indexes=[{'columns': ['order_key', 'entry_kind', 'agent_key'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with links as (

    select * from {{ ref('int_order_link') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

entries as (

    select
        links.order_key,
        links.customer_key,
        links.enquiry_date,
        links.conversation_key,
        links.agent_key,
        links.team_key,
        links.order_share,
        links.is_new_business,
        entries.entry_kind,
        entries.entry_at,
        entries.amount_fen
    from links
    cross join
        lateral (
            values
            ('sale', links.paid_at, links.amount_fen),
            ('refund', links.refunded_at, -links.refunded_fen)
        ) as entries (entry_kind, entry_at, amount_fen)
    where entries.entry_at is not null

)

select
    entries.order_key,
    entries.entry_kind,
    entries.entry_at,
    entries.amount_fen,
    entries.customer_key,
    entries.enquiry_date,
    entries.conversation_key,
    entries.agent_key,
    entries.team_key,
    entries.order_share,
    entries.is_new_business,
    {{ local_date('entries.entry_at', 'site') }} as business_date
from entries
cross join site
