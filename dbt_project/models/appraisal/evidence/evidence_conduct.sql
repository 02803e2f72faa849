{{ config(indexes=[{'columns': ['agent_key', 'rule_id', 'metric_id'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

defaults as (

    select
        make_interval(days => (body #>> '{integrity, after_days}')::integer) as returned_within,
        make_interval(secs => (body #>> '{integrity, empty_reply_seconds}')::double precision) as empty_reply,
        make_interval(
            secs => (body #>> '{integrity, empty_reply_silence_seconds}')::double precision
        ) as reply_silence,
        make_interval(secs => (body #>> '{integrity, silence_gap_seconds}')::double precision) as silence_gap,
        make_interval(
            secs => 3600 * (body #>> '{integrity, silence_return_hours}')::double precision
        ) as silence_return,
        make_interval(secs => (body #>> '{integrity, redial_seconds}')::double precision) as redial_within,
        (body #>> '{integrity, redial_ring_seconds}')::numeric as redial_ring_seconds,
        (body #>> '{integrity, talk_limit_seconds}')::numeric as talk_limit_seconds,
        (body #>> '{integrity, before_limit_seconds}')::numeric as before_limit_seconds,
        (body #>> '{integrity, reopened_seconds}')::numeric as reopened_seconds,
        (body #>> '{integrity, parked_seconds}')::numeric as parked_seconds,
        (body #>> '{integrity, peak_share}')::numeric as peak_share,
        make_interval(secs => (body #>> '{integrity, split_seconds}')::double precision) as split_within
    from ({{ current_config('defaults') }}) as current_defaults

),

agents as (

    select
        agent_key,
        min(cohort_key) as cohort_key
    from {{ ref('int_plan_agent') }}
    group by agent_key

),

segments as (

    select segments.*
    from {{ ref('fct_segment') }} as segments
    cross join period
    where segments.is_effective and segments.business_date between period.period_start and period.period_end

),

-- G1: what the agent wrote first and second in a part of a chat.
openings as (

    select
        segments.segment_key,
        segments.agent_key,
        segments.assigned_at,
        segments.ended_at,
        (array_agg(messages.sent_at order by messages.message_id))[1] as first_at,
        (array_agg(messages.sent_at order by messages.message_id))[2] as second_at
    from segments
    inner join {{ ref('int_message') }} as messages
        on
            segments.conversation_key = messages.source_id || ':' || messages.conversation_id
            and segments.segment_number = messages.segment_number
    where segments.channel = 'chat' and messages.author_kind = 'agent'
    group by segments.segment_key, segments.agent_key, segments.assigned_at, segments.ended_at

),

empty_replies as (

    select
        'G1' as rule_id,
        'first_response_time' as metric_id,
        openings.agent_key,
        count(*) as case_count,
        count(*) filter (
            where
            openings.first_at < openings.assigned_at + defaults.empty_reply
            and coalesce(openings.second_at, openings.ended_at) >= openings.first_at + defaults.reply_silence
        ) as hit_count
    from openings
    cross join defaults
    group by openings.agent_key

),

-- G2: the last question nobody answered before the session ended, and the customer back in a new one.
unanswered as (

    select
        turns.conversation_key,
        max(turns.asked_at) as asked_at
    from {{ ref('fct_turn') }} as turns
    where turns.replied_at is null and turns.is_goodbye is not true
    group by turns.conversation_key

),

credits as (

    select * from {{ ref('int_last_effective_segment') }}
    where channel = 'chat'

),

silences as (

    select
        'G2' as rule_id,
        'avg_response_time' as metric_id,
        credits.agent_key,
        count(*) as case_count,
        count(*) filter (
            where
            conversations.ended_at > unanswered.asked_at + defaults.silence_gap
            and exists (
                select 1
                from {{ ref('int_customer_contact') }} as later
                where
                    later.customer_key = conversations.customer_key
                    and later.conversation_key <> conversations.conversation_key
                    and later.started_at > conversations.ended_at
                    and later.started_at <= conversations.ended_at + defaults.silence_return
            )
        ) as hit_count
    from credits
    inner join {{ ref('fct_conversation') }} as conversations
        on credits.conversation_key = conversations.conversation_key
    cross join period
    cross join defaults
    left join unanswered
        on credits.conversation_key = unanswered.conversation_key
    where
        credits.business_date between period.period_start and period.period_end
        and conversations.ended_at is not null
    group by credits.agent_key

),

-- G3: a dial of the number dialled before, cut off before anybody could answer.
dials as (

    select
        agent_key,
        dialed_at,
        ring_seconds,
        result,
        business_date,
        lag(dialed_at) over (partition by agent_key, customer_key order by dialed_at, dial_key) as before_at,
        customer_key is not null as is_known
    from {{ ref('fct_dial') }}

),

redials as (

    select
        'G3' as rule_id,
        'calls_outbound_dialed' as metric_id,
        dials.agent_key,
        count(*) as case_count,
        count(*) filter (
            where
            dials.is_known
            and dials.dialed_at < dials.before_at + defaults.redial_within
            and dials.ring_seconds < defaults.redial_ring_seconds
            and dials.result <> 'answered'
        ) as hit_count
    from dials
    cross join period
    cross join defaults
    where dials.business_date between period.period_start and period.period_end
    group by dials.agent_key

),

-- G4: of the calls that came near the limit, those that were passed on just before it.
transfers as (

    select
        'G4' as rule_id,
        'aht' as metric_id,
        segments.agent_key,
        count(*) as case_count,
        count(*) filter (
            where segments.is_transfer and segments.talk_seconds <= defaults.talk_limit_seconds
        ) as hit_count
    from segments
    cross join defaults
    where
        segments.channel = 'voice'
        and segments.talk_seconds >= defaults.talk_limit_seconds - defaults.before_limit_seconds
    group by segments.agent_key

),

-- G5: chats that an agent closed and the customer had to open again at once.
closings as (

    select source_id || ':' || conversation_id as conversation_key
    from {{ ref('int_closing') }}
    where agent_account is not null
    group by source_id, conversation_id

),

first_owners as (

    select
        segments.conversation_key,
        (array_agg(segments.agent_key order by segments.segment_number desc))[1] as agent_key
    from segments
    where segments.channel = 'chat' and segments.episode_number = 1
    group by segments.conversation_key

),

reopened as (

    select
        'G5' as rule_id,
        'conversations_closed' as metric_id,
        first_owners.agent_key,
        count(*) as case_count,
        count(*) filter (where conversations.shortest_closed_seconds < defaults.reopened_seconds) as hit_count
    from first_owners
    inner join closings
        on first_owners.conversation_key = closings.conversation_key
    inner join {{ ref('fct_conversation') }} as conversations
        on first_owners.conversation_key = conversations.conversation_key
    cross join defaults
    where first_owners.agent_key is not null
    group by first_owners.agent_key

),

-- G6: the busiest half hours of the telephone, and the wrap-ups and pauses that began in them.
half_hours as (

    select
        visits.interval_start_at,
        percent_rank() over (order by count(*) desc, visits.interval_start_at) as busy_rank
    from {{ ref('fct_queue_visit') }} as visits
    cross join period
    where visits.channel = 'voice' and visits.business_date between period.period_start and period.period_end
    group by visits.interval_start_at

),

parked as (

    select
        'G6' as rule_id,
        'occupancy' as metric_id,
        states.agent_key,
        count(*) as case_count,
        count(*) filter (where states.state_seconds > defaults.parked_seconds) as hit_count
    from {{ ref('fct_agent_state') }} as states
    cross join period
    cross join defaults
    inner join half_hours
        on
            states.started_at >= half_hours.interval_start_at
            and states.started_at < half_hours.interval_start_at + interval '30 minutes'
    where
        states.state in ('acw', 'other', 'unspecified')
        and states.business_date between period.period_start and period.period_end
        and half_hours.busy_rank < defaults.peak_share
    group by states.agent_key

),

-- G7: a ticket entered soon after another one about the same thing.
tickets as (

    select
        entered_by_key as agent_key,
        entered_date,
        created_at,
        lag(created_at) over (
            partition by entered_by_key, customer_key, issue_class
            order by created_at, ticket_key
        ) as before_at,
        customer_key is not null and issue_class is not null as is_known
    from {{ ref('fct_ticket') }}
    where is_recorded and entered_by_key is not null

),

split as (

    select
        'G7' as rule_id,
        'tickets_handled' as metric_id,
        tickets.agent_key,
        count(*) as case_count,
        count(*) filter (
            where tickets.is_known and tickets.created_at < tickets.before_at + defaults.split_within
        ) as hit_count
    from tickets
    cross join period
    cross join defaults
    where tickets.entered_date between period.period_start and period.period_end
    group by tickets.agent_key

),

-- G8: customers who are members of staff.
staff as (

    select email_key as staff_key
    from {{ ref('stg_tabular__employee') }}
    where email_key is not null
    union
    select phone_key as staff_key
    from {{ ref('stg_tabular__employee') }}
    where phone_key is not null

),

bought as (

    select
        'attributed_sales' as metric_id,
        agent_key,
        customer_key,
        business_date
    from {{ ref('fct_order_link') }}
    where entry_kind = 'sale' and agent_key is not null

    union all

    select
        'new_user_registrations' as metric_id,
        agent_key,
        customer_key,
        business_date
    from {{ ref('fct_registration') }}
    where agent_key is not null

),

own as (

    select
        'G8' as rule_id,
        bought.metric_id,
        bought.agent_key,
        count(*) as case_count,
        count(staff.staff_key) as hit_count
    from bought
    cross join period
    left join staff
        on bought.customer_key = staff.staff_key
    where bought.business_date between period.period_start and period.period_end
    group by bought.metric_id, bought.agent_key

),

-- I6: of the contacts whose customer came back about the same thing, those that were coded as solved.
coded as (

    select
        'I6' as rule_id,
        'resolution_rate' as metric_id,
        outcomes.agent_key,
        count(*) as case_count,
        count(*) filter (where outcomes.ticket_close_code = 'solved') as hit_count
    from {{ ref('fct_outcome') }} as outcomes
    cross join period
    cross join defaults
    where
        outcomes.is_repeat_matured
        and outcomes.ticket_close_code in ('solved', 'unsolved')
        and outcomes.business_date between period.period_start and period.period_end
        and {{ came_back('outcomes', 'defaults.returned_within') }}
    group by outcomes.agent_key

),

counted as (

    select * from empty_replies

    union all

    select * from silences

    union all

    select * from redials

    union all

    select * from transfers

    union all

    select * from reopened

    union all

    select * from parked

    union all

    select * from split

    union all

    select * from own

    union all

    select * from coded

)

select
    agents.cohort_key,
    agents.agent_key,
    counted.rule_id,
    counted.metric_id,
    counted.case_count,
    counted.hit_count
from agents
inner join counted
    on agents.agent_key = counted.agent_key
