{{ config(indexes=[{'columns': ['credit_key'], 'unique': true}]) }}
{{ moves('conversation', key=['conversation_key'], may_lack_key=true, dates=['business_date']) }}

with ratings as (

    select * from {{ ref('fct_rating') }}
    where instrument_kind <> 'nps'

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

ruled as (

    select
        ratings.rating_key,
        ratings.conversation_key,
        ratings.agent_key,
        ratings.team_key,
        coalesce(parameters.csat_credit, 'last') as csat_credit
    from ratings
    left join parameters
        on ratings.business_date between parameters.valid_from and parameters.valid_to

),

-- Only ratings that more than one person may share look at the segments.
people as (

    select
        ruled.rating_key,
        ruled.csat_credit,
        segments.agent_key,
        (array_agg(segments.team_key order by segments.segment_number desc))[1] as team_key,
        count(*) over (partition by ruled.rating_key) as agent_count
    from ruled
    inner join {{ ref('fct_segment') }} as segments
        on ruled.conversation_key = segments.conversation_key
    where
        ruled.csat_credit <> 'last'
        and ruled.agent_key is not null
        and segments.is_effective
    group by ruled.rating_key, ruled.csat_credit, segments.agent_key

),

credits as (

    select
        rating_key,
        agent_key,
        team_key,
        csat_credit,
        agent_count
    from people

    union all

    -- The one agent of the rating, or nobody: then it is the team's alone.
    select
        ruled.rating_key,
        ruled.agent_key,
        ruled.team_key,
        'last' as csat_credit,
        1 as agent_count
    from ruled
    where
        not exists (
            select 1
            from people
            where people.rating_key = ruled.rating_key
        )

),

units as (

    select
        rating_key,
        agent_key,
        null::text as team_key,
        null::text as site_key,
        case csat_credit when 'share' then 1.0 / agent_count else 1.0 end as credit_share
    from credits
    where agent_key is not null

    union all

    -- Colleagues of one team are one team: it has the rating once, or its people's parts of it.
    select
        credits.rating_key,
        null as agent_key,
        credits.team_key,
        null as site_key,
        case credits.csat_credit when 'share' then count(*)::numeric / credits.agent_count else 1.0 end as credit_share
    from credits
    group by credits.rating_key, credits.team_key, credits.csat_credit, credits.agent_count

    union all

    select
        rating_key,
        null as agent_key,
        null as team_key,
        'site' as site_key,
        1.0 as credit_share
    from ruled

)

select
    units.rating_key || case
        when units.agent_key is not null then '/agent/' || units.agent_key
        when units.team_key is not null then '/team/' || units.team_key
        else '/site'
    end as credit_key,
    units.rating_key,
    units.agent_key,
    units.team_key,
    units.site_key,
    trim_scale(units.credit_share) as credit_share,
    ratings.conversation_key,
    ratings.instrument_kind,
    ratings.channel,
    ratings.rating_points,
    ratings.is_top_box,
    ratings.is_bottom_box,
    ratings.exclusion_rule,
    ratings.is_valid_for_score,
    -- What speaks against the collection and not against one row (reliability.md 3.2), whatever else keeps it out.
    ratings.is_fast_excluded or ratings.rule_ids && array['V3', 'V5', 'V8', 'V10'] as is_distrusted,
    ratings.business_date
from units
inner join ratings
    on units.rating_key = ratings.rating_key
