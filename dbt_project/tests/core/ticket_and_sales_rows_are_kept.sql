-- Rows in equal rows out: no join on the way to a fact of tickets, dials, leads or orders loses a row or makes another.
with counts as (

    select
        'tickets' as what,
        (
            select count(*)
            from (
                select ticket_key
                from {{ ref('int_ticket_event') }}
                group by ticket_key
            ) as tickets
        ) as rows_in,
        (select count(*) from {{ ref('fct_ticket') }}) as rows_out

    union all

    select
        'ticket events' as what,
        (select count(*) from {{ ref('int_ticket_event') }}) as rows_in,
        (select count(*) from {{ ref('fct_ticket_event') }}) as rows_out

    union all

    select
        'ticket episodes' as what,
        (select count(*) from {{ ref('int_ticket_episode') }}) as rows_in,
        (select count(*) from {{ ref('fct_ticket_episode') }}) as rows_out

    union all

    select
        'promises' as what,
        (select count(*) from {{ ref('int_sla_clock') }}) as rows_in,
        (select count(*) from {{ ref('fct_sla') }}) as rows_out

    union all

    select
        'dials' as what,
        (select count(*) from {{ ref('int_dial') }}) as rows_in,
        (select count(*) from {{ ref('fct_dial') }}) as rows_out

    union all

    select
        'leads' as what,
        (select count(*) from {{ ref('int_lead') }}) as rows_in,
        (select count(*) from {{ ref('fct_lead') }}) as rows_out

    union all

    select
        'enquiries' as what,
        (select count(*) from {{ ref('int_enquiry') }}) as rows_in,
        (select sum(credit_share) from {{ ref('fct_enquiry') }}) as rows_out

    union all

    select
        'orders' as what,
        (select count(*) from {{ ref('int_order_link') }}) as rows_in,
        (
            select count(*)
            from {{ ref('fct_order_link') }}
            where entry_kind = 'sale'
        ) as rows_out

    union all

    select
        'registrations' as what,
        (select count(*) from {{ ref('int_registration') }}) as rows_in,
        (select count(*) from {{ ref('fct_registration') }}) as rows_out

)

select
    what,
    rows_in,
    rows_out
from counts
where rows_in <> rows_out
