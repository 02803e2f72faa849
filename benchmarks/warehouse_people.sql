-- 240 agents of three teams with accounts and a published roster, and the departments of the desk.
create temp table agent as
select
    n as user_id,
    'BE' || lpad(n::text, 4, '0') as employee_number,
    (array['general', 'billing', 'vip'])[1 + n %% 3] as team_key,
    case when n <= 120 then '08:00' else '14:30' end as start_time,
    case when n <= 120 then '15:00' else '22:00' end as end_time
from generate_series(1, 240) as n;

insert into raw_live_helper_chat.user (
    user_id, username, display_name, disabled, _time_is_ambiguous, _source_id, _key, _row_hash, _load_seq, _load_row,
    _is_change, _is_deleted
)
select
    user_id, 'agent' || user_id, 'Agent ' || user_id, false, false, 'chat', user_id, md5('user' || user_id)::uuid,
    %(load_seq)s, user_id, false, false
from agent;

insert into raw_live_helper_chat.department (
    department_id, name, identifier, _time_is_ambiguous, _source_id, _key, _row_hash, _load_seq, _load_row, _is_change,
    _is_deleted
)
select
    n, identifier, identifier, false, 'chat', n, md5(identifier)::uuid, %(load_seq)s, n, false, false
from unnest(array['cs', 'billing', 'vip']) with ordinality as department (identifier, n);

insert into raw_tabular.identity (
    source_id, account, employee_number, valid_from, known_from, _time_is_ambiguous, _source_id, _key, _row_hash,
    _load_seq, _load_row, _is_change, _is_deleted
)
select
    'chat', user_id, employee_number, '2020-01-01', '2020-01-01', false, 'sheets', user_id,
    md5('identity' || user_id)::uuid, %(load_seq)s, user_id, false, false
from agent;

insert into raw_tabular.team_assignment (
    employee_number, team_key, valid_from, known_from, _time_is_ambiguous, _source_id, _key, _row_hash, _load_seq,
    _load_row, _is_change, _is_deleted
)
select
    employee_number, team_key, '2020-01-01', '2020-01-01', false, 'sheets', employee_number,
    md5('team' || user_id)::uuid, %(load_seq)s, user_id, false, false
from agent;

insert into raw_tabular.roster (
    employee_number, shift_date, start_time, end_time, break_seconds, is_rest_day, _time_is_ambiguous, _source_id, _key,
    _row_hash, _load_seq, _load_row, _is_change, _is_deleted
)
select
    agent.employee_number, day::date, agent.start_time, agent.end_time, 1800, false, false, 'sheets',
    agent.employee_number || ':' || day::date, md5(agent.employee_number || day)::uuid, %(load_seq)s,
    row_number() over (), false, false
from agent
cross join generate_series(%(first_day)s::date, %(last_day)s::date, interval '1 day') as day;
