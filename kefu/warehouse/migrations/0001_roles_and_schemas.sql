-- Logins (passwords are set by the migrator, never written here) and the schemas that migrations own.
do $$
declare
    login text;
begin
    foreach login in array array[
        'kefu_loader', 'kefu_transformer', 'kefu_text', 'kefu_bi', 'kefu_auditor',
        'kefu_plan_author', 'kefu_plan_approver'
    ] loop
        if not exists (select 1 from pg_roles where rolname = login) then
            execute format('create role %I login', login);
        end if;
    end loop;
    if not exists (select 1 from pg_roles where rolname = 'kefu_payroll') then
        create role kefu_payroll nologin;
    end if;
end $$;

grant kefu_payroll to kefu_plan_author, kefu_plan_approver;
-- Sealing runs as the owner, who need not be a superuser and reads what the transformer built.
grant kefu_transformer to current_user;

do $$ begin execute format('revoke all on database %I from public', current_database()); end $$;
do $$
declare
    login text;
begin
    foreach login in array array[
        'kefu_loader', 'kefu_transformer', 'kefu_text', 'kefu_bi', 'kefu_auditor',
        'kefu_plan_author', 'kefu_plan_approver'
    ] loop
        execute format('grant connect on database %I to %I', current_database(), login);
    end loop;
    -- dbt owns wh_*, publish owns pub_*, a close builds in calc_*: all made by the transformer itself.
    execute format('grant create, temporary on database %I to kefu_transformer', current_database());
    execute format('grant temporary on database %I to kefu_loader', current_database());
end $$;

revoke create on schema public from public;
create schema load;
create schema ops;
create schema cfg;
create schema vault;
create schema stats;
create schema payroll;

grant usage, create on schema load to kefu_loader;
grant usage on schema ops to kefu_loader, kefu_transformer, kefu_auditor, kefu_payroll;
grant usage on schema cfg to kefu_loader, kefu_transformer, kefu_auditor, kefu_payroll;
grant usage on schema vault to kefu_loader, kefu_text;
grant usage on schema stats to kefu_transformer, kefu_auditor, kefu_payroll;
grant usage on schema payroll to kefu_payroll, kefu_auditor, kefu_transformer;
alter default privileges in schema ops grant select on tables to kefu_auditor;
alter default privileges in schema cfg grant select on tables to kefu_auditor, kefu_transformer, kefu_payroll;
alter default privileges in schema stats grant select on tables to kefu_auditor, kefu_payroll;
alter default privileges in schema payroll grant select on tables to kefu_auditor, kefu_payroll;

create function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '%.% is append-only: % refused', tg_table_schema, tg_table_name, tg_op
        using hint = 'write a new version instead; nothing that was recorded is ever changed';
end $$;
