-- What was loaded, what was refused, what was not declared (DESIGN 4.1).
create table ops.load (
    load_id bigint generated always as identity primary key,
    -- Sequence over completed loads that changed the log, without gaps: the unit of data_cut. NULL: nothing new.
    load_seq bigint unique,
    run_id text not null,
    source_id text not null,
    system text not null,
    entity text not null,
    window_start timestamptz,
    window_end timestamptz,
    read_count bigint not null,
    inserted_count bigint not null,
    unchanged_count bigint not null,
    filtered_count bigint not null,
    quarantined_count bigint not null,
    tombstoned_count bigint not null,
    filtered_by_rule jsonb not null,
    cursor_state jsonb,
    -- Records of the quarantine read again: neither a read of the source nor compared with one.
    is_replay boolean not null default false,
    started_at timestamptz not null,
    completed_at timestamptz not null default clock_timestamp(),
    constraint load_reconciles
    check (read_count = inserted_count + unchanged_count + filtered_count + quarantined_count)
);
create index load_by_source on ops.load (source_id, entity, load_id);

-- Where the rows of a load stood in the sheets that were handed in: the row `_load_row` of a version log in the file
-- with the last `first_load_row` up to it. Only loads that changed the log.
create table ops.load_file (
    load_seq bigint not null references ops.load (load_seq),
    first_load_row bigint not null,
    file text not null,
    -- The number in the sheet of each row from `first_load_row` on; the headings are row 1.
    row_numbers integer[] not null,
    primary key (load_seq, first_load_row)
);

create table ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    source_id text not null,
    system text not null,
    entity text not null,
    -- Keyed digest of the payload: the same bad record read again is the same row.
    payload_digest bytea not null,
    -- Key the record would have had; NULL where none of it is known or it is personal.
    record_key text collate "C",
    locator text not null,
    field text not null,
    found text not null,
    expected text not null,
    remedy text not null,
    payload_encrypted bytea not null,
    first_load_id bigint not null references ops.load,
    -- superseded: a record of the same key, or the same file as a whole, was read later without a fault.
    status text not null default 'open' check (status in ('open', 'replayed', 'dismissed', 'superseded')),
    resolved_load_id bigint references ops.load,
    dismissed_by text,
    dismissed_because text,
    constraint dismissed_by_somebody
    check ((status = 'dismissed') = (dismissed_by is not null and dismissed_because is not null)),
    unique (source_id, entity, payload_digest)
);

create table ops.schema_drift (
    source_id text not null,
    entity text not null,
    field text not null,
    found_type text not null,
    record_count bigint not null,
    first_load_id bigint not null references ops.load,
    last_load_id bigint not null references ops.load,
    primary key (source_id, entity, field, found_type)
);

create table vault.message_text (
    source_id text not null,
    entity text not null,
    key text collate "C" not null,
    field text not null,
    load_seq bigint not null,
    ciphertext bytea not null,
    stored_at timestamptz not null default clock_timestamp(),
    primary key (source_id, entity, key, field, load_seq)
);

grant select, insert on ops.load, ops.load_file, ops.quarantine, ops.schema_drift to kefu_loader;
-- The loader writes text it will never read.
grant insert on vault.message_text to kefu_loader;
grant update (status, resolved_load_id, dismissed_by, dismissed_because) on ops.quarantine to kefu_loader;
grant update (record_count, last_load_id) on ops.schema_drift to kefu_loader;
grant select on ops.load, ops.load_file, ops.quarantine, ops.schema_drift to kefu_transformer;
grant select, delete on vault.message_text to kefu_text;
create trigger load_append_only before update or delete on ops.load
for each row execute function ops.refuse_change();
create trigger load_no_truncate before truncate on ops.load
for each statement execute function ops.refuse_change();
create trigger load_file_append_only before update or delete on ops.load_file
for each row execute function ops.refuse_change();
create trigger load_file_no_truncate before truncate on ops.load_file
for each statement execute function ops.refuse_change();

-- Plans need counts: the loader may ask for statistics of a log it cannot otherwise touch.
create function ops.analyze_log(p_schema text, p_table text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if p_schema !~ '^raw_[a-z0-9_]+$' then
        raise exception 'schema % does not hold version logs', p_schema;
    end if;
    execute format('analyze %I.%I', p_schema, p_table);
end $$;
revoke all on function ops.analyze_log from public;
grant execute on function ops.analyze_log to kefu_loader;
