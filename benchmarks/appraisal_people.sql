-- Agents of a hundred teams with a hire date and a published roster of the month; every fourth day is off.
create temp table agent as
select
    n,
    'BA' || lpad(n::text, 5, '0') as employee_number,
    'general' as team_key
from generate_series(1, %(agents)s) as n;

insert into raw_tabular.employee (
    employee_number, display_name, role, hire_date, is_active, _time_is_ambiguous, _source_id, _key, _row_hash, _load_seq,
    _load_row, _is_change, _is_deleted
)
select
    employee_number, 'Agent ' || n, 'im', date '2024-01-01' + n %% 900, true, false, 'sheets', employee_number,
    md5('employee' || n)::uuid, 1, n, false, false
from agent;

insert into raw_tabular.team_assignment (
    employee_number, team_key, valid_from, known_from, _time_is_ambiguous, _source_id, _key, _row_hash, _load_seq,
    _load_row, _is_change, _is_deleted
)
select
    employee_number, team_key, '2026-01-01', '2026-01-01', false, 'sheets', employee_number, md5('team' || n)::uuid, 2, n,
    false, false
from agent;

insert into raw_tabular.roster (
    employee_number, shift_date, start_time, end_time, break_seconds, is_rest_day, _time_is_ambiguous, _source_id, _key,
    _row_hash, _load_seq, _load_row, _is_change, _is_deleted
)
select
    agent.employee_number, day::date, '08:00', '16:30', 1800, (agent.n + extract(day from day)::integer) %% 4 = 0, false,
    'sheets', agent.employee_number || ':' || day::date, md5(agent.employee_number || day)::uuid, 3,
    row_number() over (), false, false
from agent
cross join generate_series(date '2026-11-01', date '2026-11-30', interval '1 day') as day;

insert into ops.run (run_id, kind) values ('bench', 'daily') on conflict do nothing;
insert into ops.load (
    load_seq, run_id, source_id, system, entity, read_count, inserted_count, unchanged_count, filtered_count,
    quarantined_count, tombstoned_count, filtered_by_rule, started_at
)
select n, 'bench', 'sheets', 'tabular', entity, 1, 1, 0, 0, 0, 0, '{}', clock_timestamp()
from unnest(array['employee', 'team_assignment', 'roster']) with ordinality as loaded (entity, n);
analyze raw_tabular.roster;
