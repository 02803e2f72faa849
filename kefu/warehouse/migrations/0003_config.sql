-- Declared configuration as append-only rows (DESIGN 4.7). Models read these, never the files.
create table cfg.object_version (
    kind text not null,
    object_id text not null,
    version integer not null check (version > 0),
    content_hash text not null,
    valid_from date not null,
    body jsonb not null,
    applied_by text not null default session_user,
    applied_at timestamptz not null default clock_timestamp(),
    primary key (kind, object_id, version)
);
create trigger object_version_append_only before update or delete on cfg.object_version
for each row execute function ops.refuse_change();
create trigger object_version_no_truncate before truncate on cfg.object_version
for each statement execute function ops.refuse_change();

create table cfg.plan_approval (
    plan_id text not null,
    version integer not null,
    content_hash text not null,
    approved_by text not null,
    approved_at timestamptz not null,
    primary key (plan_id, version)
);
create trigger plan_approval_append_only before update or delete on cfg.plan_approval
for each row execute function ops.refuse_change();
create trigger plan_approval_no_truncate before truncate on cfg.plan_approval
for each statement execute function ops.refuse_change();

grant select, insert (kind, object_id, version, content_hash, valid_from, body)
on cfg.object_version to kefu_payroll;
grant select on cfg.object_version to kefu_loader;

-- Maker and checker are compared here, from authenticated logins, never from an argument.
create function cfg.approve_plan(p_plan_id text, p_version integer) returns void
language plpgsql security definer set search_path = cfg, pg_temp as $$
declare
    plan cfg.object_version;
begin
    select * into plan from cfg.object_version
    where kind = 'plan' and object_id = p_plan_id and version = p_version;
    if not found then
        raise exception 'plan % version % is not applied', p_plan_id, p_version
            using hint = 'run `kefu config apply` first';
    end if;
    if plan.applied_by = session_user then
        raise exception 'plan % version % was applied by % and cannot be approved by the same login',
            p_plan_id, p_version, session_user using hint = 'another person approves it';
    end if;
    insert into cfg.plan_approval (plan_id, version, content_hash, approved_by, approved_at)
    values (p_plan_id, p_version, plan.content_hash, session_user, clock_timestamp())
    on conflict (plan_id, version) do nothing;
end $$;
revoke all on function cfg.approve_plan from public;
grant execute on function cfg.approve_plan to kefu_payroll;
