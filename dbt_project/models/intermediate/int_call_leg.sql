{{ config(indexes=[{'columns': ['call_id', 'source_id', 'leg_number'], 'unique': true}]) }}

with records as (

    select
        *,
        case
            when lastapp = 'Queue' and dstchannel is not null then 'inbound'
            when dialed_key is not null and src_kind = 'internal' then 'outbound'
            when src_kind = 'internal' and dstchannel is not null then 'internal'
        end as leg_kind
    from {{ ref('stg_asterisk__cdr') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by source_id, uniqueid
            order by started_at, sequence, dstchannel, ended_at
        ) as leg_number,
        disposition = 'ANSWERED' as is_answered,
        case
            when leg_kind = 'inbound' and disposition = 'ANSWERED'
                then count(*) filter (where leg_kind = 'inbound' and disposition = 'ANSWERED') over (
                    partition by source_id, uniqueid
                    order by started_at, sequence, dstchannel, ended_at
                )
        end as answer_number
    from records
    where leg_kind is not null

),

segments as (

    select
        source_id,
        conversation_id,
        segment_number,
        agent_account
    from {{ ref('int_segment') }}

)

select
    numbered.source_id,
    numbered.uniqueid as call_id,
    numbered.leg_number,
    numbered.leg_kind,
    -- The queue names its members, the record only their phones: the first answered leg is the first connection.
    segments.agent_account,
    -- The phone of the agent, without the number of the channel.
    regexp_replace(
        case when numbered.leg_kind = 'inbound' then numbered.dstchannel else numbered.channel end,
        '-[0-9a-f]+(;[12])?$',
        ''
    ) as device,
    numbered.is_answered,
    numbered.started_at,
    numbered.answered_at,
    numbered.ended_at,
    case when numbered.is_answered then numbered.billsec_seconds end as connected_seconds
from numbered
left join segments
    on
        numbered.source_id = segments.source_id
        and numbered.uniqueid = segments.conversation_id
        and numbered.answer_number = segments.segment_number
