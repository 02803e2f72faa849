-- Conversations of a chat desk with self-accept, straight into the version logs of Live Helper Chat: %(per_day)s a day
-- from %(first_day)s to %(last_day)s. Every number comes from a hash, so every run makes the same rows. Eight rows of
-- messages each: questions, replies, one close, in every twentieth conversation a transfer; every fifteenth customer
-- leaves unserved; every third one who was served rates.
create temp table plan as
select
    n as chat_id,
    '2020-01-01'::date + (n / %(per_day)s)::integer as day,
    -- From 08:10 to 21:50 local time; two shifts share the day.
    '2020-01-01'::timestamp + (n / %(per_day)s) * interval '1 day' + interval '8 hours 10 minutes'
    + (n %% %(per_day)s) * (interval '13 hours 40 minutes' / %(per_day)s) as local_start,
    hashint8extended(n, 1) & 1048575 as dice,
    hashint8extended(n, 2) & 1048575 as pace
from generate_series(
    (%(first_day)s::date - '2020-01-01') * %(per_day)s::bigint,
    (%(last_day)s::date - '2020-01-01' + 1) * %(per_day)s::bigint - 1
) as n;

create temp table conversation as
select
    chat_id,
    local_start at time zone 'Europe/Berlin' as started_at,
    dice %% 15 = 0 as is_lost,
    dice %% 15 <> 0 and dice %% 20 = 1 as is_transferred,
    -- Agents 1 to 120 work early, 121 to 240 late.
    1 + (dice / 32) %% 120 + case when local_start::time < '15:00' then 0 else 120 end as user_id,
    1 + (dice / 4096) %% 120 + case when local_start::time < '15:00' then 0 else 120 end as next_user_id,
    1 + chat_id %% 3 as department_id,
    5 + pace %% 85 as wait_seconds,
    pace
from plan;

insert into raw_live_helper_chat.message (
    message_id, chat_id, sent_at, user_id, author_kind, is_whisper, event_type, event_actor, event_target, text_length,
    del_st, _time_is_ambiguous, _source_id, _key, _row_hash, _source_version, _load_seq, _load_row, _is_change,
    _is_deleted
)
select
    8 * chat_id + place,
    chat_id,
    started_at + make_interval(secs => wait_seconds * (place > 0)::integer + place * (15 + (pace / 128) %% 47)),
    case when author_kind = 'agent' then case when is_transferred and place > 4 then next_user_id else user_id end
        else 0 end,
    author_kind,
    false,
    case
        when is_transferred and place = 4 then 'transfer'
        when place = 7 then case when is_lost or pace %% 2 = 0 then 'close_by_visitor' else 'close_by_agent' end
    end,
    case when is_transferred and place = 4 then 'Agent ' || user_id end,
    case when is_transferred and place = 4 then 'agent' || next_user_id end,
    20,
    0,
    false,
    'chat',
    8 * chat_id + place,
    md5((8 * chat_id + place)::text)::uuid,
    null,
    %(load_seq)s,
    8 * chat_id + place,
    false,
    false
from conversation
cross join lateral (
    select
        place,
        case
            when place = 7 or (is_transferred and place = 4) then 'system'
            when is_lost or place %% 2 = 0 then 'customer'
            else 'agent'
        end as author_kind
    from generate_series(0, 7) as place
) as written;

insert into raw_live_helper_chat.chat (
    chat_id, status, status_sub, status_sub_sub, started_at, pending_at, closed_at, visitor_closed_at,
    last_user_message_at, user_id, department_id, wait_seconds, chat_duration_seconds, first_response_seconds,
    average_response_seconds, maximum_response_seconds, thumbs, unanswered_chat, bot_id, online_user_id, phone_key,
    phone_kind, _time_is_ambiguous, _source_id, _key, _row_hash, _source_version, _load_seq, _load_row, _is_change,
    _is_deleted
)
select
    chat_id, 2, 0, 0, started_at, started_at,
    started_at + make_interval(secs => wait_seconds + 7 * (15 + (pace / 128) %% 47)),
    case when is_lost then started_at + make_interval(secs => wait_seconds + 7 * (15 + (pace / 128) %% 47)) end,
    started_at,
    case when is_lost then 0 when is_transferred then next_user_id else user_id end,
    department_id, case when is_lost then 0 else wait_seconds end, 0, 0, 0, 0, 0, is_lost, 0, 0,
    md5('customer ' || pace %% 300000), 'person', false, 'chat', chat_id, md5('chat' || chat_id)::uuid, null,
    %(load_seq)s, chat_id, false, false
from conversation;

insert into raw_live_helper_chat.survey_item (
    survey_item_id, survey_id, status, chat_id, user_id, answered_at, department_id, max_stars_1, max_stars_2,
    max_stars_3, max_stars_4, max_stars_5, _time_is_ambiguous, _source_id, _key, _row_hash, _source_version, _load_seq,
    _load_row, _is_change, _is_deleted
)
select
    chat_id, 1, 0, chat_id, user_id,
    started_at + make_interval(secs => wait_seconds + 600),
    department_id, case when pace %% 7 < 5 then 4 + pace %% 2 else 1 + pace %% 3 end, 0, 0, 0, 0, false, 'chat', chat_id,
    md5('survey' || chat_id)::uuid, null, %(load_seq)s, chat_id, false, false
from conversation
where not is_lost and chat_id %% 3 = 0;
