with talks as (

    select * from {{ ref('fct_coaching') }}

),

versions as (

    select * from {{ ref('stg_cfg__metric_version') }}

),

spans as (

    select
        value::integer as span_days,
        valid_from,
        valid_to
    from {{ ref('stg_cfg__parameter') }}
    where parameter_id = 'coaching_window_days'

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

days as (

    select * from {{ ref('metric_day') }}
    where unit_kind = 'agent'

),

today as (

    select {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as today_date
    from {{ ref('stg_cfg__site') }} as site

),

spanned as (

    select
        talks.*,
        versions.metric_version,
        versions.kind,
        versions.scale,
        versions.direction,
        spans.span_days,
        today.today_date > talks.business_date + spans.span_days as is_matured
    from talks
    cross join today
    left join versions
        on
            talks.metric_id = versions.metric_id
            and talks.business_date between versions.valid_from and versions.valid_to
    left join spans
        on talks.business_date between spans.valid_from and spans.valid_to

),

-- The person, and colleagues of the team whom nobody coached on the same metric around that day.
compared as (

    select
        coaching_key,
        agent_key as compared_key,
        true as is_coached
    from spanned

    union all

    select
        spanned.coaching_key,
        teams.agent_key as compared_key,
        false as is_coached
    from spanned
    inner join teams
        on
            spanned.team_key = teams.team_key
            and spanned.business_date between teams.valid_from and teams.valid_to
            and spanned.agent_key <> teams.agent_key
    where
        not exists (
            select 1
            from talks
            where
                teams.agent_key = talks.agent_key
                and spanned.metric_id = talks.metric_id
                and abs(spanned.business_date - talks.business_date) <= spanned.span_days
        )

),

pooled as (

    select
        spanned.coaching_key,
        compared.is_coached,
        days.business_date > spanned.business_date as is_after,
        trim_scale(spanned.scale * sum(days.numerator) / nullif(sum(days.denominator), 0)) as pooled_value,
        sum(days.n) as n
    from spanned
    inner join compared
        on spanned.coaching_key = compared.coaching_key
    inner join days
        on
            spanned.metric_id = days.metric_id
            and spanned.metric_version = days.metric_version
            and compared.compared_key = days.unit_key
            and spanned.business_date + spanned.span_days >= days.business_date
            and spanned.business_date - spanned.span_days <= days.business_date
            -- The day of the talk belongs to neither side.
            and spanned.business_date <> days.business_date
    where spanned.kind = 'ratio'
    group by spanned.coaching_key, spanned.scale, compared.is_coached, days.business_date > spanned.business_date

),

sides as (

    select
        coaching_key,
        max(pooled_value) filter (where is_coached and not is_after) as before_value,
        max(pooled_value) filter (where is_coached and is_after) as after_value,
        max(pooled_value) filter (where not is_coached and not is_after) as cohort_before_value,
        max(pooled_value) filter (where not is_coached and is_after) as cohort_after_value,
        max(n) filter (where is_coached and not is_after) as before_n,
        max(n) filter (where is_coached and is_after) as after_n
    from pooled
    group by coaching_key

),

judged as (

    select
        spanned.*,
        sides.before_value,
        sides.after_value,
        sides.cohort_before_value,
        sides.cohort_after_value,
        coalesce(sides.before_n, 0) as before_n,
        coalesce(sides.after_n, 0) as after_n,
        case
            when spanned.kind is null then 'no_metric'
            when spanned.kind <> 'ratio' then 'not_a_ratio'
            when not coalesce(spanned.is_matured, false) then 'not_matured'
            when sides.before_value is null or sides.after_value is null then 'no_denominator'
            when sides.cohort_before_value is null or sides.cohort_after_value is null then 'no_cohort'
        end as null_reason
    from spanned
    left join sides
        on spanned.coaching_key = sides.coaching_key

)

select
    coaching_key::text as coaching_key,
    agent_key::text as agent_key,
    team_key::text as team_key,
    coach_key::text as coach_key,
    metric_id::text as metric_id,
    metric_version::integer as metric_version,
    cause::text as cause,
    before_value::numeric as before_value,
    after_value::numeric as after_value,
    cohort_before_value::numeric as cohort_before_value,
    cohort_after_value::numeric as cohort_after_value,
    before_n::bigint as before_n,
    after_n::bigint as after_n,
    case
        when null_reason is null then (after_value - before_value) - (cohort_after_value - cohort_before_value)
    end::numeric as effect,
    case
        when null_reason is null and direction = 'higher'
            then (after_value - before_value) > (cohort_after_value - cohort_before_value)
        when null_reason is null and direction = 'lower'
            then (after_value - before_value) < (cohort_after_value - cohort_before_value)
    end as is_improvement,
    null_reason::text as null_reason,
    business_date::date as business_date
from judged
