{# Materializations with as few statements as one table needs. dbt's own ask the catalogue for columns, grants and
   comments and rename twice, each in a statement of its own; with hundreds of small models that is most of a build. #}
{% materialization table, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set rule = patching() -%}
    {%- set is_built = not stands(sql) -%}
    {{ run_hooks(pre_hooks) }}
    {% if not is_built %}
        {% call noop_statement('main', 'nothing that it reads has changed') %}{% endcall %}
    {% elif rule %}
        {% do patch(target, rule) %}
    {% else %}
        {% set fresh = make_intermediate_relation(target) %}
        {% call statement('main') %}
            {{ more_memory() }}
            drop table if exists {{ fresh }} cascade;
            create table {{ fresh }} as (
                {{ sql }}
            )
        {% endcall %}
        {% do enforce_contract(fresh) %}
        {% set is_new = tell_changes(existing, fresh) %}
        {% call statement('finish') %}
            {% if is_new %}
            {{ dress_table(fresh) }}
            {{ replace_relation(existing, fresh, target) }}
            {% else %}
            drop table {{ fresh }};
            {% endif %}
        {% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {% if is_built %}{% do adapter.commit() %}{% endif %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# Sums by unit, day and measure stay in memory instead of being written out and read again. #}
{% macro more_memory() %}set local work_mem = '256MB';{% endmacro %}

{% materialization view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set is_built = not stands(sql) -%}
    {{ run_hooks(pre_hooks) }}
    {% if not is_built %}
        {% call noop_statement('main', 'nothing that it reads has changed') %}{% endcall %}
    {% else %}
        {% call statement('main') %}
            {% if existing is not none %}
            drop {{ existing.type }} if exists {{ existing }} cascade;
            {% endif %}
            create view {{ target }} as (
                {{ sql }}
            );
            {{ comments_and_grants(target) }}
            {% if is_moving() %}
            {{ remember('changed', "'" ~ model.name ~ "'", '(select)') }}
            {% endif %}
        {% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {% if is_built %}{% do adapter.commit() %}{% endif %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# What makes a filled table the declared one: constraints, keys, words, readers, counts for the planner. A unique index
   is a key, so no part of it may be NULL. #}
{% macro dress_table(relation) -%}
    {%- set required, checks = [], [] -%}
    {%- for constraint in model.constraints -%}
        {%- do checks.append(constraint.expression) -%}
    {%- endfor -%}
    {%- for column in model.columns.values() -%}
        {%- for constraint in column.constraints -%}
            {%- if constraint.type == 'not_null' -%}
                {%- do required.append(column.name) -%}
            {%- elif constraint.type == 'check' -%}
                {%- do checks.append(constraint.expression) -%}
            {%- else -%}
                {%- do exceptions.raise_compiler_error(
                    model.name ~ '.' ~ column.name ~ ': found a constraint ' ~ constraint.type
                    ~ ', expected not_null or check. Remedy: declare keys as unique indexes'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for index in config.get('indexes', []) if index.unique -%}
        {%- for column in index.columns if modules.re.fullmatch('\w+', column) and column not in required -%}
            {%- do required.append(column) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set alterations = [] -%}
    {%- for column in required -%}
        {%- do alterations.append('alter column ' ~ column ~ ' set not null') -%}
    {%- endfor -%}
    {%- for expression in checks -%}
        {%- do alterations.append('add check (' ~ expression ~ ')') -%}
    {%- endfor -%}
    {%- if alterations %}
        alter table {{ relation }} {{ alterations | join(', ') }};
    {%- endif %}
    {%- for index in config.get('indexes', []) + patch_indexes(config.get('indexes', [])) %}
        create {{ 'unique ' if index.unique }}index on {{ relation }}
        {{ 'using ' ~ index.type if index.type }} ({{ index.columns | join(', ') }});
    {%- endfor %}
        {{ comments_and_grants(relation) }}
        analyze {{ relation }};
{%- endmacro %}

{% macro comments_and_grants(relation) -%}
        comment on {{ relation.type }} {{ relation }} is {{ postgres_escape_comment(model.description) }};
    {%- for column in model.columns.values() %}
        comment on column {{ relation }}.{{ column.name }} is {{ postgres_escape_comment(column.description) }};
    {%- endfor %}
    {%- for privilege, roles in config.get('grants', {}).items() %}
        grant {{ privilege }} on {{ relation }} to {{ roles | join(', ') }};
    {%- endfor %}
{%- endmacro %}

{% macro replace_relation(existing, fresh, target) -%}
    {%- if existing is not none %}
        drop {{ existing.type }} if exists {{ existing }} cascade;
    {%- endif %}
        alter table {{ fresh }} rename to {{ target.identifier }};
{%- endmacro %}

{# An enforced contract: the columns and types of the table are exactly the declared ones. Text columns that took another
   collation from a column of the configuration lose it: comparing two collations is an error. #}
{% macro enforce_contract(relation) %}
    {% if config.get('contract').enforced %}
        {% set differences = run_query(
            "select coalesce(declared.name, actual.attname) as name, declared.type as declared,"
            ~ " format_type(actual.atttypid, null) as found, to_regtype(declared.type) = actual.atttypid as agrees"
            ~ " from (values " ~ contract_rows() ~ ") as declared (name, type) full join (select * from pg_attribute"
            ~ " where attrelid = '" ~ relation ~ "'::regclass and attnum > 0) as actual on actual.attname = declared.name"
            ~ " where to_regtype(declared.type) is distinct from actual.atttypid"
            ~ " or actual.attcollation not in (0, 'pg_catalog.\"default\"'::regcollation)"
        ) %}
        {% for row in differences.rows %}
            {% if not row.agrees %}
                {% do exceptions.raise_compiler_error(
                    'contract of ' ~ model.name ~ ': column ' ~ row.name ~ ' is declared as ' ~ row.declared
                    ~ ', the query gives ' ~ row.found
                ) %}
            {% endif %}
        {% endfor %}
        {% if differences.rows %}
            {% call statement('collate') %}
                alter table {{ relation }}
                {% for row in differences.rows %}
                alter column {{ row.name }} type text collate "default"{{ ', ' if not loop.last }}
                {% endfor %}
            {% endcall %}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro contract_rows() -%}
    {%- for column in model.columns.values() -%}
        ('{{ column.name }}', '{{ column.data_type }}'){{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
