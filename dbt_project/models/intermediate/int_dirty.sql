{{ config(materialized='dirty') }}

{#- What the last build left behind: a reference would be a circle. -#}
{%- set segments = 'wh_core.fct_segment' -%}
{%- set turns = 'wh_core.fct_turn' -%}
{%- set owners = 'wh_intermediate.int_segment' -%}
{%- set writers = 'wh_intermediate.int_turn' -%}
{%- set conversations = 'wh_intermediate.int_conversation' -%}
{%- set follow_ups = 'wh_intermediate.int_customer_follow_up' -%}
{%- set retentions = 'wh_core.fct_customer_retention' -%}
{#- These make their marks, with the days of what changed, before this model reads them. -#}
{%- set shift_marks = ref('int_shift') -%}
{%- set team_marks = ref('int_agent_team') -%}
{%- set identity_marks = ref('int_identity') -%}

{%- if is_moving() %}
    with marks as (

        select
            entity,
            dirty_key,
            greatest(business_date, '2000-01-01'::date) as first_date,
            least(until_date, '2200-01-01'::date) as last_date
        from {{ dirty_table() }}
        where entity in ('shift', 'team', 'identity')

    ),

    -- A changed shift moves the dates and the seconds on duty of whatever touches it.
    shifts as (

        select
            dirty_key as agent_key,
            first_date - 2 as first_day,
            last_date + 3 as last_day
        from marks
        where entity = 'shift'

    ),

    teams as (

        select
            dirty_key as agent_key,
            first_date - 1 as first_day,
            last_date + 2 as last_day
        from marks
        where entity = 'team'

    ),

    identities as (

        select
            dirty_key as account_key,
            first_date - 1 as first_day,
            last_date + 2 as last_day
        from marks
        where entity = 'identity'

    ),

    found as (

        select
            segments.conversation_key,
            'roster' as reason
        from {{ segments }} as segments
        inner join shifts
            on
                segments.agent_key = shifts.agent_key
                and segments.assigned_at < shifts.last_day
                and coalesce(segments.ended_at, 'infinity') > shifts.first_day

        union all

        select
            turns.conversation_key,
            'roster' as reason
        from {{ turns }} as turns
        inner join shifts
            on
                turns.agent_key = shifts.agent_key
                and turns.clock_start_at < shifts.last_day
                and turns.replied_at > shifts.first_day

        union all

        select
            segments.conversation_key,
            'team' as reason
        from {{ segments }} as segments
        inner join teams
            on segments.agent_key = teams.agent_key and segments.assigned_at between teams.first_day and teams.last_day

        union all

        select
            turns.conversation_key,
            'team' as reason
        from {{ turns }} as turns
        inner join teams
            on turns.agent_key = teams.agent_key and turns.replied_at between teams.first_day and teams.last_day

        union all

        select
            owners.source_id || ':' || owners.conversation_id as conversation_key,
            'identity' as reason
        from {{ owners }} as owners
        inner join identities
            on
                owners.source_id || ':' || owners.agent_account = identities.account_key
                and owners.assigned_at between identities.first_day and identities.last_day

        union all

        select
            writers.source_id || ':' || writers.conversation_id as conversation_key,
            'identity' as reason
        from {{ writers }} as writers
        inner join identities
            on
                writers.source_id || ':' || writers.agent_account = identities.account_key
                and writers.replied_at between identities.first_day and identities.last_day
        {% if var('base_as_of') != var('as_of') %}

    union all

    -- A later clock ends what was silent, and opens what has become due.
    select
        source_id || ':' || conversation_id as conversation_key,
        'clock' as reason
    from {{ conversations }}
    where ended_at is null or ended_at > '{{ var("base_as_of") }}'

    union all

    select
        conversation_key,
        'clock' as reason
    from {{ follow_ups }}
    where bot_due_at > '{{ var("base_as_of") }}' and bot_due_at <= '{{ var("as_of") }}'
    {% endif %}

    )

    {% if var('base_as_of') != var('as_of') %}
    select
        'matured' as entity,
        conversation_key as dirty_key,
        '-infinity'::date as business_date,
        null::date as until_date,
        'clock' as reason,
        {{ var('base_cut') }}::bigint as base_cut
    from {{ follow_ups }}
    where repeat_due_at > '{{ var("base_as_of") }}' and repeat_due_at <= '{{ var("as_of") }}'

    union all

    select
        'observed' as entity,
        customer_key as dirty_key,
        '-infinity'::date as business_date,
        null::date as until_date,
        'clock' as reason,
        {{ var('base_cut') }}::bigint as base_cut
    from {{ retentions }}
    where not is_observed and observed_at <= '{{ var("as_of") }}'
    group by customer_key

    union all

    {% endif %}
    select
        'conversation' as entity,
        conversation_key as dirty_key,
        '-infinity'::date as business_date,
        null::date as until_date,
        min(reason) as reason,
        {{ var('base_cut') }}::bigint as base_cut
    from found
    where conversation_key is not null
    group by conversation_key
    order by entity, dirty_key
{%- else %}
select
    null::text as entity,
    null::text as dirty_key,
    null::date as business_date,
    null::date as until_date,
    null::text as reason,
    null::bigint as base_cut
where false
{%- endif %}
