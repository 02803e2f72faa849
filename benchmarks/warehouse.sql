-- What one would write by hand for four numbers: first response, turn time, handle time and satisfaction by agent, team
-- and day, straight on the version logs. It honours what the numbers mean (current versions, dated accounts and teams,
-- seconds on duty, the rules of ratings) and takes every shortcut these rows allow: one system, one site, one shift per
-- agent and day that ends before midnight, no whispers, no bots. The benchmark compares its numbers with those of dbt.
set local work_mem = '256MB';

create temp table shift as
select
    employee_number as agent_key,
    shift_date,
    (shift_date + start_time::time) at time zone 'Europe/Berlin' as shift_start,
    (shift_date + end_time::time) at time zone 'Europe/Berlin' as shift_end
from raw_tabular.roster
where not is_rest_day;

create temp table agent as
select
    identity.account::bigint as user_id,
    identity.employee_number as agent_key,
    team.team_key
from raw_tabular.identity
inner join raw_tabular.team_assignment as team
    on identity.employee_number = team.employee_number;

create temp table account as
select
    user_id,
    username,
    display_name
from raw_live_helper_chat.user;

analyze shift;
analyze agent;

create temp table chat as
select
    c.chat_id,
    c.started_at,
    c.closed_at,
    c.visitor_closed_at,
    c.user_id,
    c.wait_seconds,
    c.phone_key,
    d.team_key,
    (c.started_at at time zone 'Europe/Berlin')::date as business_date
from raw_live_helper_chat.chat as c
inner join (values (1, 'general'), (2, 'billing'), (3, 'vip')) as d (department_id, team_key)
    on c.department_id = d.department_id
where
    not exists (
        select 1
        from raw_live_helper_chat.chat as n
        where c._key = n._key and n._is_change and n._load_seq > c._load_seq
    )
    and not c._is_deleted;

-- The one pass over messages that everything else needs.
create temp table message as
select
    m.chat_id,
    m.message_id,
    m.sent_at,
    m.author_kind,
    m.user_id,
    m.event_type,
    m.event_actor,
    m.event_target,
    1 + count(*) filter (where m.event_type = 'transfer') over previous as segment_number,
    count(*) filter (where m.author_kind = 'agent') over before as exchange_number,
    max(m.sent_at) filter (where m.author_kind in ('customer', 'agent')) over before as last_spoken_at
from raw_live_helper_chat.message as m
where
    not exists (
        select 1
        from raw_live_helper_chat.message as n
        where m._key = n._key and n._is_change and n._load_seq > m._load_seq
    )
    and not m._is_deleted
window
    previous as (partition by m.chat_id order by m.message_id rows between unbounded preceding and current row),
    before as (partition by m.chat_id order by m.message_id rows between unbounded preceding and 1 preceding);

create temp table segment as
with transfers as (
    select
        chat_id,
        segment_number - 1 as segment_number,
        sent_at,
        actor.user_id as from_user_id,
        target.user_id as to_user_id
    from message
    left join account as actor
        on message.event_actor = actor.display_name
    left join account as target
        on message.event_target = target.username
    where event_type = 'transfer'
),

owners as (
    select
        chat.chat_id,
        1 as segment_number,
        coalesce(transfers.from_user_id, chat.user_id) as user_id,
        chat.started_at + make_interval(secs => chat.wait_seconds) as assigned_at,
        coalesce(transfers.sent_at, chat.closed_at) as ended_at
    from chat
    left join transfers
        on chat.chat_id = transfers.chat_id and transfers.segment_number = 1
    where chat.user_id > 0

    union all

    select
        transfers.chat_id,
        transfers.segment_number + 1,
        transfers.to_user_id,
        transfers.sent_at,
        coalesce(following.sent_at, chat.closed_at)
    from transfers
    inner join chat
        on transfers.chat_id = chat.chat_id
    left join transfers as following
        on transfers.chat_id = following.chat_id and transfers.segment_number + 1 = following.segment_number
)

select
    owners.chat_id,
    owners.segment_number,
    owners.user_id,
    owners.assigned_at,
    owners.ended_at,
    agent.agent_key,
    agent.team_key,
    (owners.ended_at at time zone 'Europe/Berlin')::date as business_date
from owners
inner join agent
    on owners.user_id = agent.user_id;

create temp table handled as
select
    segment.chat_id,
    segment.segment_number,
    segment.agent_key,
    segment.team_key,
    segment.business_date,
    min(message.sent_at) filter (
        where message.author_kind = 'agent' and message.user_id = segment.user_id
    ) as first_own_message_at,
    sum(greatest(extract(
        epoch from message.sent_at - greatest(message.last_spoken_at, segment.assigned_at)
    ), 0)) filter (
        where
        message.sent_at >= segment.assigned_at
        and message.sent_at - greatest(message.last_spoken_at, segment.assigned_at) <= interval '300 seconds'
    )::bigint as active_seconds
from segment
inner join message
    on segment.chat_id = message.chat_id and segment.segment_number = message.segment_number
where segment.ended_at is not null and message.author_kind in ('customer', 'agent')
group by segment.chat_id, segment.segment_number, segment.agent_key, segment.team_key, segment.business_date;

create temp table turn as
select
    exchange.chat_id,
    exchange.replied_at,
    greatest(exchange.asked_at, segment.assigned_at) as clock_start_at,
    agent.agent_key,
    agent.team_key,
    segment.business_date
from (
    select
        chat_id,
        min(sent_at) filter (where author_kind = 'customer') as asked_at,
        min(sent_at) filter (where author_kind = 'agent') as replied_at,
        min(user_id) filter (where author_kind = 'agent') as user_id,
        min(segment_number) filter (where author_kind = 'agent') as segment_number
    from message
    where author_kind in ('customer', 'agent')
    group by chat_id, exchange_number
) as exchange
inner join segment
    on exchange.chat_id = segment.chat_id and exchange.segment_number = segment.segment_number
inner join agent
    on exchange.user_id = agent.user_id
where exchange.asked_at is not null and exchange.replied_at is not null and segment.ended_at is not null;

create temp table rated as
select
    rating.agent_key,
    rating.team_key,
    rating.business_date,
    rating.stars
from (
    select
        item.max_stars_1 as stars,
        handled.agent_key,
        handled.team_key,
        handled.business_date,
        row_number() over (partition by item.chat_id order by item.answered_at desc, item.survey_item_id desc) as rank,
        case
            when handled.business_date between '2026-11-02' and '2026-11-21'
                then row_number() over (
                    partition by chat.phone_key, handled.agent_key, handled.business_date between '2026-11-02'
                    and '2026-11-21'
                    order by item.answered_at, item._source_id || ':' || item.survey_item_id || '/max_stars_1'
                )
            else 1
        end as customer_rank
    from raw_live_helper_chat.survey_item as item
    inner join chat
        on item.chat_id = chat.chat_id
    inner join (
        select
            *,
            row_number() over (partition by chat_id order by segment_number desc) as last_rank
        from handled
        where first_own_message_at is not null
    ) as handled
        on item.chat_id = handled.chat_id and handled.last_rank = 1
    where item.max_stars_1 > 0 and item.answered_at <= chat.closed_at + interval '72 hours'
) as rating
where rating.rank = 1 and rating.customer_rank <= %(most_per_customer)s;

create table result as
select
    'customer_first_response_time' as metric_id,
    'team' as unit_kind,
    chat.team_key as unit_key,
    chat.business_date,
    sum(extract(epoch from spoken.replied_at - spoken.asked_at)::bigint) as numerator,
    count(*) as denominator
from chat
inner join (
    select
        chat_id,
        min(sent_at) filter (where author_kind = 'customer') as asked_at,
        min(sent_at) filter (where author_kind = 'agent') as replied_at
    from message
    group by chat_id
) as spoken
    on chat.chat_id = spoken.chat_id
where spoken.asked_at is not null and spoken.replied_at is not null
group by chat.team_key, chat.business_date

union all

select
    'avg_response_time',
    case when grouping(agent_key) = 0 then 'agent' else 'team' end,
    coalesce(agent_key, team_key),
    business_date,
    sum(seconds),
    count(*)
from (
    select
        turn.agent_key,
        turn.team_key,
        turn.business_date,
        case
            when turn.replied_at between shift.shift_start and shift.shift_end
                then extract(epoch from turn.replied_at - greatest(turn.clock_start_at, shift.shift_start))
            else extract(epoch from turn.replied_at - turn.clock_start_at)
        end::bigint as seconds
    from turn
    left join shift
        on
            turn.agent_key = shift.agent_key
            and (turn.replied_at at time zone 'Europe/Berlin')::date = shift.shift_date
) as timed
group by grouping sets ((agent_key, business_date), (team_key, business_date))

union all

select
    'aht',
    case when grouping(agent_key) = 0 then 'agent' else 'team' end,
    coalesce(agent_key, team_key),
    business_date,
    sum(active_seconds),
    count(*)
from handled
where first_own_message_at is not null
group by grouping sets ((agent_key, business_date), (team_key, business_date))

union all

select
    'csat_rate',
    case when grouping(agent_key) = 0 then 'agent' else 'team' end,
    coalesce(agent_key, team_key),
    business_date,
    count(*) filter (where stars >= 4),
    count(*)
from rated
group by grouping sets ((agent_key, business_date), (team_key, business_date));
