{# The live line moves forward by what changed (DESIGN 4.3). `base_cut` is the data cut of the finished build it goes on
   from; without it, and in every close, all models are built in full. What is dirty stands in the table of int_dirty
   until a build has finished; rows whose key is dirty are deleted and inserted again, never merged.

   A model says in its file how it moves:

   by        version       the current rows of the records that have new versions; `rows` names a record
             conversation  the rows of dirty conversations; `key` is their key, or the source and the id in it
             customer      the rows of dirty customers, and of those whose conversations are dirty
             date          the rows of the days on which what it counts (`counts`: model and its date) has changed
             range         the rows of the ranges those days lie in
             nothing       in full, every time
   is_number the id of a conversation is a number in this table
   also      the same of what it reads as a whole: model and its date
   dates     columns whose days are dirty for whoever counts them, when a row with them changes
   marks     other kinds of dirty keys that a changed row makes: kind and expression; `days` are their first and last day
   through   by date: the days of all rows of dirty conversations in this model are dirty too
   covers    what it reads as a whole although it changes: the rows this touches are built again for another reason
   clock     a kind of dirty keys of its own that int_dirty finds when only the clock has moved; who reads this model takes
             them for dirty too. By date: `days`, when the days that the clock has passed are dirty
   whole     by date: the rows of a month tell on each other, so a dirty day makes all days of its month dirty
   margin    by date: a row counts what is dated up to so many days before or after it
   settled   sources of which it reads only rows that belong to its version log and never change
   stamp     a column that says when a row was made; another stamp alone is no change
   may_lack_key  by conversation: rows of no conversation are built every time
   period_date   by conversation: rows of the period tell on each other, so a change builds all of them; their date
   period_marks  by range: kinds of marks that change the rows of the period
   part      by range: a column whose values are dirty one by one where what it counts makes marks of that name; what
             else changes makes all of them dirty, and so does the period; `parts` names the model that lists them

   Everything a model reads is limited in its own reference to the rows that what is dirty needs. What cannot be limited
   so is read as a whole, and when it changes, the model is built in full: nothing can be missed by forgetting a rule.
   Kinds that are read by conversation or customer are excepted when the changes of what is read make marks.

   A model of which nothing that it reads has changed stands as it is, with a rule or without. What is built in full and
   comes out the same has not changed. #}
{% macro moves(by=none) %}
    {%- set rule = {'by': by} -%}
    {%- do rule.update(kwargs) -%}
    {{- config(meta={'moves': rule}) -}}
    {#- A scenario gives what a model reads; what is dirty is nothing it reads. -#}
    {%- if by in ('conversation', 'customer') and model.resource_type == 'model' -%}
        {%- do builtins.ref('int_dirty') -%}
    {%- endif -%}
{% endmacro %}

{# Whether this run moves the live line forward from a finished build. #}
{% macro is_moving() %}
    {{ return(execute and var('calc_id') == 'live' and var('base_cut', none) is not none) }}
{% endmacro %}

{% macro rule_of(name) %}
    {% set node = graph.nodes.get('model.' ~ project_name ~ '.' ~ name) %}
    {{ return((node.config.meta or {}).get('moves') if node else none) }}
{% endmacro %}

{# The rule by which this model is patched in this run; none when it is built in full. #}
{% macro patching() %}
    {% if not is_moving() or model.resource_type != 'model' %}
        {{ return(none) }}
    {% endif %}
    {#- Every reference asks; the answer is looked up once. -#}
    {% if '__patching' not in model %}
        {% do model.update({'__patching': find_patching()}) %}
    {% endif %}
    {{ return(model['__patching']) }}
{% endmacro %}

{% macro find_patching() %}
    {% set rule = rule_of(model.name) %}
    {% if
        not rule
        or not rule.by
        or not is_told(rule)
        or not load_cached_relation(this)
    %}
        {{ return(none) }}
    {% endif %}
    {% for name in read_models() if name in changed() and is_read_as_a_whole(rule, name) %}
        {{ return(none) }}
    {% endfor %}
    {{ return(rule) }}
{% endmacro %}

{% macro read_models() %}
    {% set found = [] %}
    {% for key in model.depends_on.nodes if key in graph.nodes %}
        {% do found.append(graph.nodes[key].name) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{# What has changed since the last finished build when this model's turn has come: models, version logs, and `int_dirty`
   while it holds a mark. Looked up once. #}
{% macro changed() %}
    {% if '__changed' not in model %}
        {% set found = run_query(
            'select dirty_key from ' ~ dirty_table() ~ " where entity = 'changed' union all"
            ~ " select 'int_dirty' where exists (select from " ~ dirty_table() ~ " where entity <> 'changed') union all"
            ~ " select 'raw_' || system || '.' || entity from ops.load where load_seq > " ~ var('base_cut')
            ~ ' and load_seq <= ' ~ var('data_cut') ~ ' group by system, entity'
        ) %}
        {% do model.update({'__changed': found.rows | map('first') | list}) %}
    {% endif %}
    {{ return(model['__changed']) }}
{% endmacro %}

{# Whether a relation is today what it was after the last finished build. Of what is neither a model nor a version log
   nobody knows; another configuration is built in full. #}
{% macro stands(sql) %}
    {% if
        not is_moving()
        or not load_cached_relation(this)
        or (var('base_as_of') != var('as_of') and var('as_of') in sql)
    %}
        {{ return(false) }}
    {% endif %}
    {% for name in read_models() if name in changed() %}
        {{ return(false) }}
    {% endfor %}
    {% set settled = ['cfg.object_version'] + (rule_of(model.name) or {}).get('settled', []) %}
    {% for schema, table in model.sources if schema ~ '.' ~ table not in settled %}
        {% if not schema.startswith('raw_') or schema ~ '.' ~ table in changed() %}
            {{ return(false) }}
        {% endif %}
    {% endfor %}
    {{ return(true) }}
{% endmacro %}

{# Whether everything a model reads tells when it changes: no view does, and days only those models that say which. #}
{% macro is_told(rule) %}
    {% for key in model.depends_on.nodes if key in graph.nodes and graph.nodes[key].config.materialized == 'view' %}
        {{ return(false) }}
    {% endfor %}
    {% for name, day in counted_by(rule).items() if day not in (rule_of(name) or {}).get('dates', []) %}
        {{ return(false) }}
    {% endfor %}
    {{ return(true) }}
{% endmacro %}

{# The models whose changed days are days of this one, with their dates. #}
{% macro counted_by(rule) %}
    {% set found = {} %}
    {% do found.update(rule.get('counts', {})) %}
    {% do found.update(rule.get('also', {})) %}
    {{ return(found) }}
{% endmacro %}

{# Every reference of a patched model reads only the rows that it needs for what is dirty. #}
{% macro ref() %}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- if execute and is_moving() -%}
        {%- set rule = patching() -%}
        {%- set needed = needed_rows(rule, varargs[-1], relation) if rule -%}
        {%- if needed -%}
            {#- PostgreSQL 15 wants a name for every one of these, but only one. -#}
            {%- set is_named = modules.re.search("ref\('" ~ varargs[-1] ~ "'\)\s*}}\s+as\s", model.raw_code) -%}
            {%- do return('(' ~ needed ~ ')' ~ ('' if is_named else ' as ' ~ varargs[-1])) -%}
        {%- endif -%}
    {%- endif -%}
    {%- do return(relation) -%}
{% endmacro %}

{# What a model reads of another one; none when it reads all of it. Keys are joined and not looked up with `in`: of
   several such conditions PostgreSQL expects one row together, and pairs all that is dirty with itself. #}
{% macro needed_rows(rule, name, relation='') %}
    {% set read = rule_of(name) or {} %}
    {% set needed = none %}
    {% if rule.by == 'conversation' and read.get('key') %}
        {% set needed = joined(relation, read.key | join(', read.'), 'dirty_conversation', named_by(read)) %}
        {% if read.get('may_lack_key') %}
            {% set needed = needed ~ ' union all select * from ' ~ relation ~ ' where ' ~ read.key[-1] ~ ' is null' %}
        {% endif %}
    {% elif rule.by == 'customer' and read.get('customer') %}
        {% set needed = joined(relation, read.customer, 'dirty_customer', ['customer_key']) %}
    {% elif rule.by == 'customer' and read.get('key') %}
        {% set needed = joined(relation, read.key | join(', read.'), 'dirty_customer_conversation', named_by(read)) %}
    {% elif rule.by in ('date', 'range') and name in rule.counts %}
        {% set day = rule.counts[name] %}
        {% if rule.by == 'date' %}
            {% set dirty = 'dirty_margin' if rule.get('margin') else 'dirty_day' %}
            {% set condition = day ~ ' = any(array(select business_date from ' ~ dirty ~ '))' %}
        {% elif day == 'period_start' %}
            {% set condition = is_dirty_range('period_kind, period_start') %}
        {% elif rule.part in read.get('marks', {}) %}
            {% do return(
                'select read.* from ' ~ relation ~ ' as read inner join dirty_part_day as dirty on (read.' ~ day ~ ', read.'
                ~ rule.part ~ ') = (dirty.business_date, dirty.' ~ rule.part ~ ')'
            ) %}
        {% else %}
            {% set condition = day ~ ' = any(array(select business_date from dirty_range_day))' %}
        {% endif %}
        {% set needed = 'select * from ' ~ relation ~ ' where ' ~ condition %}
    {% endif %}
    {{ return(needed) }}
{% endmacro %}

{% macro joined(relation, key, dirty, columns) %}
    {{ return(
        'select read.* from ' ~ relation ~ ' as read inner join ' ~ dirty ~ ' as dirty on (read.' ~ key ~ ') = (dirty.'
        ~ columns | join(', dirty.') ~ ')'
    ) }}
{% endmacro %}

{# Which rows of this model may be replaced. Those of no conversation are a condition of their own: joined by `or`, no index
   would be used. #}
{% macro dirty_rows(rule) %}
    {% if rule.by == 'conversation' %}
        {% set keyed = '(' ~ rule.key | join(', ') ~ ') in (select ' ~ named_by(rule) | join(', ')
            ~ ' from dirty_conversation)' %}
        {{ return([keyed] + ([rule.key[-1] ~ ' is null'] if rule.get('may_lack_key') else [])) }}
    {% elif rule.by == 'customer' %}
        {{ return([rule.customer ~ ' in (select customer_key from dirty_customer)']) }}
    {% elif rule.by == 'date' %}
        {{ return(['business_date = any(array(select business_date from dirty_day))']) }}
    {% else %}
        {{ return([is_dirty_range('period_kind, period_start' ~ (', ' ~ rule.part if rule.part))]) }}
    {% endif %}
{% endmacro %}

{# The first days alone are few: with them the index is used. #}
{% macro is_dirty_range(columns) %}
    {{ return(
        'period_start = any(array(select period_start from dirty_range group by period_start)) and (' ~ columns
        ~ ') in (select ' ~ columns ~ ' from dirty_range)'
    ) }}
{% endmacro %}

{# The columns that name a dirty conversation as the key of a model does. #}
{% macro named_by(rule) %}
    {% if rule.key | length == 1 %}
        {{ return(['conversation_key']) }}
    {% endif %}
    {{ return(['source_id', 'conversation_number' if rule.get('is_number') else 'conversation_id']) }}
{% endmacro %}

{# In a model by range: leaves out ranges that are not dirty before anything is summed up for them. #}
{% macro and_is_dirty_range(period_kind, period_start, part=none) -%}
    {%- if patching() -%}
        and ({{ period_kind }}, {{ period_start }}{{ ', ' ~ part if part }})
        in (select period_kind, period_start{{ ', ' ~ patching().part if part }} from dirty_range)
    {%- endif -%}
{%- endmacro %}

{% macro dirty_table() %}{{ return('wh_intermediate.int_dirty') }}{% endmacro %}

{# Whether a record of a version log has versions which the last finished build did not see. #}
{% macro is_dirty_record(alias) -%}
    ({{ alias }}._source_id, {{ alias }}._key) in (select source_id, record_key from dirty_record)
{%- endmacro %}

{# The kinds of keys, by conversation or by customer, that are dirty for a model: also those that a later clock makes dirty
   for it or for a model it reads. #}
{% macro dirty_kinds(by, node) %}
    {% if '__dirty_kinds' not in node %}
        {% set found = {'conversation': ['conversation'], 'customer': ['customer']} %}
        {% set rule = (node.config.meta or {}).get('moves', {}) %}
        {% if rule.get('clock') %}
            {% do found[rule.by].append(rule.clock) %}
        {% endif %}
        {% if rule.by in found %}
            {% for key in node.depends_on.nodes if key in graph.nodes %}
                {% for kind in found %}
                    {% for entity in dirty_kinds(kind, graph.nodes[key]) if entity not in found[kind] %}
                        {% do found[kind].append(entity) %}
                    {% endfor %}
                {% endfor %}
            {% endfor %}
        {% endif %}
        {% do node.update({'__dirty_kinds': found}) %}
    {% endif %}
    {{ return(node['__dirty_kinds'][by]) }}
{% endmacro %}

{# What this model reads of int_dirty, as of now: another model may add to it while this one is built. #}
{% macro snapshot(rule) %}
    {%- if rule.by == 'version' %}
        create temporary table dirty_record on commit drop as
        select
            _source_id as source_id,
            _key as record_key
        from {{ source(*model.sources[0]) }}
        where _load_seq > {{ var('base_cut') }} and _load_seq <= {{ var('data_cut') }}
        group by _source_id, _key;
        analyze dirty_record;
    {%- endif %}
    {%- if rule.by in ('conversation', 'customer') %}
        create temporary table dirty_conversation on commit drop as
        select
            dirty_key as conversation_key,
            split_part(dirty_key, ':', 1) as source_id,
            substr(dirty_key, strpos(dirty_key, ':') + 1) as conversation_id,
            case when dirty_key ~ ':(0|[1-9]\d{0,17})$' then substr(dirty_key, strpos(dirty_key, ':') + 1)::bigint end
                as conversation_number
        from (
            select dirty_key
            from {{ dirty_table() }}
            where entity in ('{{ dirty_kinds("conversation", model) | join("', '") }}')
            group by dirty_key
            {%- if rule.get('period_date') %}
            union
            select {{ rule.key[0] }}
            from {{ this }}
            where
                {{ rule.period_date }} between '{{ var("period_start") }}' and '{{ var("period_end") }}'
                and {{ rule.key[0] }} is not null
            {%- endif %}
        ) as found;
        {{ found_by('dirty_conversation', ['conversation_key', 'source_id, conversation_id', 'source_id, conversation_number']) }}
    {%- endif %}
    {%- if rule.by == 'customer' %}
        create temporary table dirty_customer on commit drop as
        select dirty_key as customer_key
        from {{ dirty_table() }}
        where entity in ('{{ dirty_kinds("customer", model) | join("', '") }}')
        union
        select customer_key
        from wh_intermediate.int_customer_contact
        where conversation_key in (select conversation_key from dirty_conversation);
        create temporary table dirty_customer_conversation on commit drop as
        select
            conversation_key,
            split_part(conversation_key, ':', 1) as source_id,
            substr(conversation_key, strpos(conversation_key, ':') + 1) as conversation_id
        from wh_intermediate.int_customer_contact
        where customer_key in (select customer_key from dirty_customer);
        {{ found_by('dirty_customer', ['customer_key']) }}
        {{ found_by('dirty_customer_conversation', ['conversation_key', 'source_id, conversation_id']) }}
    {%- endif %}
    {%- if rule.by in ('date', 'range') %}
        create temporary table dirty_day on commit drop as
        select {{ 'day.midnight::date as ' if rule.get('whole') }}business_date
        from (
            select business_date
            from {{ dirty_table() }}
            where
                entity = 'date'
                and dirty_key in ({% for name, day in counted_by(rule).items() %}'{{ name }}.{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
            {%- if rule.get('through') %}
            union
            select {{ rule.counts[rule.through] }}
            from {{ builtins.ref(rule.through) }}
            where
                {{ rule.counts[rule.through] }} is not null
                and conversation_key in (select dirty_key from {{ dirty_table() }} where entity = 'conversation')
            {%- endif %}
            {%- if rule.get('clock') and var('base_as_of') != var('as_of') %}
            {#- Between both clocks shifts of earlier days have ended too. #}
            union
            select passed.midnight::date
            from generate_series(
                '{{ var("base_as_of") }}'::timestamp - interval '3 days',
                '{{ var("as_of") }}'::timestamp + interval '1 day',
                interval '1 day'
            ) as passed (midnight)
            {%- endif %}
        ) as found
        {%- if rule.get('whole') %}
        cross join lateral generate_series(
            date_trunc('{{ rule.whole }}', (found.business_date - {{ rule.get('margin', 0) }})::timestamp),
            date_trunc('{{ rule.whole }}', (found.business_date + {{ rule.get('margin', 0) }})::timestamp)
            + interval '1 {{ rule.whole }}' - interval '1 day',
            interval '1 day'
        ) as day (midnight)
        {%- endif %}
        group by 1;
        analyze dirty_day;
    {%- endif %}
    {%- if rule.get('margin') %}
        create temporary table dirty_margin on commit drop as
        select dirty_day.business_date + beside.days as business_date
        from dirty_day
        cross join generate_series(-{{ rule.margin }}, {{ rule.margin }}) as beside (days)
        group by 1;
        analyze dirty_margin;
    {%- endif %}
    {%- if rule.by == 'range' %}
        {{ dirty_ranges(rule) }}
    {%- endif %}
{% endmacro %}

{# The ranges in which dirty days lie, and their days; with a part, for each of its values that are dirty there. #}
{% macro dirty_ranges(rule) -%}
    {%- set told = [] -%}
    {%- for name, day in counted_by(rule).items() if rule.part and rule.part in (rule_of(name) or {}).get('marks', {}) -%}
        {%- do told.append(name) -%}
    {%- endfor -%}
    {%- set part = ', ' ~ rule.part if rule.part -%}
        create temporary table dirty_range on commit drop as
        with days as (
            select
                dirty_day.business_date
                {%- if part %},
                marks.dirty_key as {{ rule.part }}
            from dirty_day
            inner join {{ dirty_table() }} as marks
                on dirty_day.business_date = marks.business_date and marks.entity = '{{ rule.part }}'
            union
            select
                dirty_day.business_date,
                known.{{ rule.part }}
                {%- endif %}
            from dirty_day
            {%- if part %}
            inner join {{ dirty_table() }} as marks
                on
                    dirty_day.business_date = marks.business_date
                    and marks.entity = 'date'
                    and marks.dirty_key in (
                        {%- for name, day in counted_by(rule).items() if name not in told -%}
                            '{{ name }}.{{ day }}'{{ ', ' if not loop.last }}
                        {%- endfor -%}
                    )
            cross join (select {{ rule.part }} from {{ builtins.ref(rule.parts) }} group by {{ rule.part }}) as known
            {%- endif %}
        )
        select
            kinds.period_kind,
            case kinds.period_kind
                when 'day' then days.business_date
                else date_trunc(kinds.period_kind, days.business_date)::date
            end as period_start{{ part }}
        from days
        cross join (values ('day'), ('week'), ('month')) as kinds (period_kind)
        union
        select 'period', '{{ var("period_start") }}'::date{{ part }}
        from {{ dirty_table() }}
        {%- if part %}
        cross join (select {{ rule.part }} from {{ builtins.ref(rule.parts) }} group by {{ rule.part }}) as known
        {%- endif %}
        where
            entity = any('{{ '{' ~ rule.get('period_marks', []) | join(', ') ~ '}' }}')
            or (
                entity = 'date'
                and business_date between ({{ first_counted_day() }}) and '{{ var("period_end") }}'
                and business_date in (select dirty_day.business_date from dirty_day)
            );
        create temporary table dirty_part_day on commit drop as
        select days.midnight::date as business_date{{ part }}
        from dirty_range
        cross join lateral generate_series(
            case dirty_range.period_kind
                when 'period' then ({{ first_counted_day(rule.part) }}) else dirty_range.period_start
            end::timestamp,
            case dirty_range.period_kind
                when 'day' then dirty_range.period_start
                when 'week' then dirty_range.period_start + 6
                when 'month' then dirty_range.period_start + interval '1 month' - interval '1 day'
                else '{{ var("period_end") }}'::date
            end::timestamp,
            interval '1 day'
        ) as days (midnight)
        group by days.midnight{{ part }};
        create temporary table dirty_range_day on commit drop as
        select business_date
        from dirty_part_day
        group by business_date;
        {{ found_by('dirty_range', ['period_start, period_kind' ~ part]) }}
        {{ found_by('dirty_part_day', ['business_date' ~ part]) }}
        analyze dirty_range_day;
{%- endmacro %}

{# Indexes and statistics of what is dirty: joins then know that each key is in it once. #}
{% macro found_by(relation, columns) -%}
    {%- for names in columns %}
        create unique index on {{ relation }} ({{ names }});
    {%- endfor %}
        analyze {{ relation }};
{%- endmacro %}

{# No earlier day than this counts in the period: for all metrics, or for the metric of a dirty range. #}
{% macro first_counted_day(part=none) -%}
    select '{{ var("period_start") }}'::date - coalesce(max(window_days), 0)
    from wh_intermediate.int_metric_window
    {{- ' where ' ~ part ~ ' = dirty_range.' ~ part if part }}
{% endmacro %}

{# Deletes the dirty rows of a table and inserts what the model says about them now. #}
{% macro patch(target, rule) %}
    {% set fresh = model.name ~ '__fresh' %}
    {% set changed = model.name ~ '__changed' %}
    {% call statement('prepare') %}
        {{ more_memory() }}
        {{ snapshot(rule) }}
        {{ by_index() }}
        create temporary table {{ fresh }} on commit drop as (
            {% if rule.by == 'version' %}
            {{ sql }}
            {% else %}
            select * from (
                {{ sql }}
            ) as anew
            where {{ dirty_rows(rule) | join(' or ') }}
            {% endif %}
        );
        {% if rule.by == 'version' %}
        {{ replaced_rows(rule) }}
        create temporary table {{ changed }} on commit drop as
        select {{ 'old.' ~ rule.key | join(', old.') }}
        from {{ target }} as old
        inner join replaced using ({{ rule.rows | join(', ') }})
        union
        select {{ rule.key | join(', ') }}
        from {{ fresh }};
        delete from {{ target }} as old
        using replaced
        where ({{ 'old.' ~ rule.rows | join(', old.') }}) = ({{ 'replaced.' ~ rule.rows | join(', replaced.') }});
        {% else %}
        {%- set standing %}
            (
                {%- for condition in dirty_rows(rule) %}
                select * from {{ target }} where {{ condition }}{{ ' union all' if not loop.last }}
                {%- endfor %}
            )
        {%- endset %}
        {{ differences(changed, standing, fresh, rule.get('stamp')) }}
        {%- for condition in dirty_rows(rule) %}
        delete from {{ target }}
        where {{ condition }}{{ ' and ' ~ is_changed(rule, changed) if loop.first }};
        {%- endfor %}
        {% endif %}
    {% endcall %}
    {% call statement('main') %}
        insert into {{ target }}
        select * from {{ fresh }}
        {%- if rule.by != 'version' %}
        where {{ is_changed(rule, changed) }}{{ ' or ' ~ rule.key[-1] ~ ' is null' if rule.get('may_lack_key') }}
        {%- endif %}
    {% endcall %}
    {% call statement('remember') %}
        {{ remember_all(rule, changed, is_patched=true) }}
    {% endcall %}
{% endmacro %}

{# At the end of a model built in full: rows that are read together lie together. #}
{% macro laid_by(column) -%}
    {%- if not patching() %}order by {{ column }}{% endif -%}
{%- endmacro %}

{# Few of many rows are needed, and they are found by their keys: reading a table to its end would grow with history. #}
{% macro by_index() %}set local enable_mergejoin = off; set local seq_page_cost = 4;{% endmacro %}

{# Rows that come out as they were are not written again: a row is told by its key, else by the key that is dirty. Rows of
   no conversation are few, and all are. #}
{% macro is_changed(rule, changed) -%}
    {%- set keys = config.get('indexes', []) | selectattr('unique', 'defined') | map(attribute='columns') | list -%}
    {%- set names = {'customer': [rule.get('customer')], 'date': ['business_date'], 'range': ['period_kind', 'period_start']} -%}
    {%- set columns = (keys or [names.get(rule.by, rule.get('key'))])[0] | join(', ') -%}
    ({{ columns }}) in (select {{ columns }} from {{ changed }})
{%- endmacro %}

{# The rows of the records of a log that have new versions, by what any version of them says they are. #}
{% macro replaced_rows(rule) -%}
        create temporary table replaced on commit drop as
        select
        {%- for column in rule.rows %}
            r.{{ '_' if column == 'source_id' }}{{ column }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
        from {{ source(*model.sources[0]) }} as r
        inner join dirty_record
            on r._source_id = dirty_record.source_id and r._key = dirty_record.record_key
        group by {{ range(1, rule.rows | length + 1) | join(', ') }};
        {{ found_by('replaced', [rule.rows | join(', ')]) }}
{%- endmacro %}

{# Whether a patched model reads all of another one and nothing else tells it that this has changed. #}
{% macro is_read_as_a_whole(rule, name) %}
    {{ return(
        rule.by != 'version'
        and name != 'int_dirty'
        and name not in rule.get('covers', [])
        and name not in rule.get('also', {})
        and not needed_rows(rule, name)
        and not (rule.by in ('conversation', 'customer') and (rule_of(name) or {}).get('marks'))
    ) }}
{% endmacro %}

{# The rows that one relation has and the other has not. #}
{% macro differences(changed, before, after, stamp=none) -%}
        {%- set columns = model.columns | reject('equalto', stamp) | join(', ') if stamp else '*' %}
        create temporary table {{ changed }} on commit drop as
        -- Read once: its rows lie anywhere in a large table.
        with standing as materialized (select {{ columns }} from {{ before }} as before)
        (select * from standing except all select {{ columns }} from {{ after }})
        union all
        (select {{ columns }} from {{ after }} except all select * from standing);
{%- endmacro %}

{# Marks what changed rows make dirty. Under a lock, because two models may mark the same things. Rows that are replaced
   by conversation are of dirty conversations already, unless others of the period changed them. #}
{% macro remember_all(rule, changed, is_patched=false) -%}
        select pg_advisory_xact_lock(hashtext('int_dirty'));
    {%- if rule.get('key') and not (is_patched and rule.by == 'conversation' and not rule.get('period_date')) %}
        {{ remember('conversation', rule.key | join(" || ':' || "), changed) }}
    {%- endif -%}
    {%- for day in rule.get('dates', []) %}
        {{ remember('date', "'" ~ model.name ~ '.' ~ day ~ "'", changed, [day, day]) }}
    {%- endfor -%}
    {%- for entity, key in rule.get('marks', {}).items() %}
        {{ remember(entity, key, changed, rule.get('days')) }}
    {%- endfor -%}
        {{ remember('changed', "'" ~ model.name ~ "'", changed) }}
{%- endmacro %}

{% macro remember(entity, key, relation, days=none) -%}
        insert into {{ dirty_table() }} (entity, dirty_key, business_date, until_date, reason, base_cut)
        select
            '{{ entity }}',
            {{ key }},
            {{ days[0] if days else "'-infinity'::date" }},
            {{ 'max(' ~ days[1] ~ ')' if days else 'null::date' }},
            '{{ model.name }}',
            {{ var('base_cut') }}
        from {{ relation }} as changed
        where ({{ key }}) is not null {{ 'and ' ~ days[0] ~ ' is not null' if days }}
        group by 1, 2, 3
        on conflict (entity, dirty_key, business_date) do update
        set until_date = greatest(int_dirty.until_date, excluded.until_date)
        where int_dirty.until_date < excluded.until_date;
{%- endmacro %}

{# What a table built in full during a move tells the models after it. Returns whether it is another one than before. #}
{% macro tell_changes(existing, fresh) %}
    {% if not is_moving() %}
        {{ return(true) }}
    {% endif %}
    {% set changed = model.name ~ '__changed' %}
    {% call statement('tell') %}
        {{ differences(changed, existing or '(select * from ' ~ fresh ~ ' where false)', fresh) }}
        {{ remember_all(rule_of(model.name) or {}, changed) }}
    {% endcall %}
    {{ return(run_query('select 1 from ' ~ changed ~ ' limit 1').rows | length > 0) }}
{% endmacro %}

{# What a patched table must be found by, beside the indexes its model declares. A close is built once. #}
{% macro patch_indexes(declared) %}
    {% set rule = (rule_of(model.name) if var('calc_id') == 'live' else none) or {} %}
    {% set wanted = rule.get('dates', []) | list %}
    {% if rule.get('key') %}{% do wanted.append(rule.key[-1]) %}{% endif %}
    {% if rule.get('customer') %}{% do wanted.append(rule.customer) %}{% endif %}
    {% set known = declared | map(attribute='columns') | map('first') | list %}
    {% set indexes = [] %}
    {% for column in wanted if column not in known %}
        {% do indexes.append({'columns': [column]}) %}
    {% endfor %}
    {{ return(indexes) }}
{% endmacro %}

{# The table of int_dirty: rows are added to it, and only a finished build lets them go (kefu/pipeline/live_line.py). #}
{% materialization dirty, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {% set found %}
        insert into {{ target }} (entity, dirty_key, business_date, until_date, reason, base_cut)
        select entity, dirty_key, business_date, until_date, reason, base_cut
        from (
            {{ sql }}
        ) as found
        on conflict do nothing
    {% endset %}
    {% call statement('main') %}
        {% if is_moving() %}
        select pg_advisory_xact_lock(hashtext('int_dirty'));
        {{ found }};
        analyze {{ target }};
        {% else %}
        create table if not exists {{ target }} (
            entity text not null,
            dirty_key text not null,
            business_date date not null,
            until_date date,
            reason text not null,
            base_cut bigint not null,
            unique (entity, dirty_key, business_date)
        );
        {{ comments_and_grants(target) }}
        {% endif %}
    {% endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
