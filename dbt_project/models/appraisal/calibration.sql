with reviews as (

    select
        reviews.*,
        concat_ws(' ', reviews.conversation_key, reviews.agent_key, reviews.form_version) as contact_key,
        row_number() over (
            partition by reviews.conversation_key, reviews.agent_key, reviews.form_version, reviews.reviewer_key
            order by reviews.reviewed_at desc, reviews.review_key desc
        ) as recency
    from {{ ref('fct_qa_review') }} as reviews
    where
        reviews.business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
        and reviews.exclusion_rule is null
        and reviews.conversation_key is not null
        and reviews.reviewer_key is not null
        and reviews.review_score is not null

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

tasks as (

    select
        conversation_key,
        agent_key
    from {{ ref('double_scoring') }}
    group by conversation_key, agent_key

),

opinions as (

    select
        metric_id,
        row_key,
        rater_key
    from {{ ref('evidence_opinion') }}
    where rater_key is not null

),

profiles as (

    select
        metric_id,
        rater_key,
        flags
    from {{ source('stats', 'rater_profile') }}
    where calc_id = '{{ var("calc_id") }}'

),

employees as (

    {{ agent_names() }}

),

defaults as (

    select
        (body #>> '{calibration, contacts}')::integer as calibration_contacts,
        (body #>> '{calibration, margin}')::numeric as calibration_margin,
        body #> '{score, grades}' as grades
    from ({{ current_config('defaults') }}) as current_defaults

),

-- Flags of a reviewer's scale, in the order they are told; how the sample was drawn is no matter for common scoring.
scales as (

    select
        scale.place,
        scale.flag,
        scale.flag_zh,
        scale.flag_en
    from (
        values
        (1, 'lenient', '偏宽', 'lenient'),
        (2, 'severe', '偏严', 'severe'),
        (3, 'halo', '光环效应', 'halo'),
        (4, 'drift', '尺度漂移', 'drifting'),
        (5, 'low_agreement', '与他人不一致', 'low agreement'),
        (6, 'central_tendency', '趋中', 'scores crowd together'),
        (7, 'range_at_top', '集中在高分', 'scores crowd at the top')
    ) as scale (place, flag, flag_zh, flag_en)

),

flags as (

    select
        reviews.contact_key,
        scales.place,
        scales.flag_zh,
        scales.flag_en
    from reviews
    inner join opinions
        on reviews.review_key = opinions.row_key
    inner join profiles
        on opinions.metric_id = profiles.metric_id and opinions.rater_key = profiles.rater_key
    cross join lateral jsonb_array_elements(profiles.flags) as entry (body)
    inner join scales
        on scales.flag = entry.body ->> 'flag'
    group by reviews.contact_key, scales.place, scales.flag_zh, scales.flag_en

),

flagged as (

    select
        contact_key,
        string_agg(flag_zh, '、' order by place) as flags_zh,
        string_agg(flag_en, ', ' order by place) as flags_en
    from flags
    group by contact_key

),

contacts as (

    select
        contact_key,
        conversation_key,
        agent_key,
        form_version,
        (array_agg(review_key order by is_blind, reviewed_at, review_key))[1] as review_key,
        (array_agg(review_score order by is_blind, reviewed_at, review_key))[1] as first_score,
        count(*) as scores,
        max(review_score) - min(review_score) as difference
    from reviews
    where recency = 1
    group by contact_key, conversation_key, agent_key, form_version

),

limits as (

    select
        contacts.contact_key,
        min(grade.least::numeric) as grade_limit
    from contacts
    cross join defaults
    cross join lateral jsonb_each_text(defaults.grades) as grade (grade_name, least)
    where abs(contacts.first_score - grade.least::numeric) <= defaults.calibration_margin
    group by contacts.contact_key

),

-- A contact that somebody is still to score blind is left out: who has talked about it is no second opinion any more.
reasoned as (

    select
        contacts.*,
        flagged.flags_zh,
        flagged.flags_en,
        limits.grade_limit,
        case
            when contacts.difference > 0 then 'disagreement'
            when flagged.flags_en is not null then 'flagged_rater'
            when limits.grade_limit is not null then 'borderline'
        end as reason,
        md5(period.period_id || ' ' || contacts.contact_key) as chance
    from contacts
    cross join period
    left join flagged
        on contacts.contact_key = flagged.contact_key
    left join limits
        on contacts.contact_key = limits.contact_key
    where
        not exists (
            select 1
            from tasks
            where tasks.conversation_key = contacts.conversation_key and tasks.agent_key = contacts.agent_key
        )

),

ranked as (

    select
        reasoned.*,
        row_number() over (
            partition by reasoned.form_version, reasoned.reason
            order by reasoned.difference desc, reasoned.chance asc
        ) as place
    from reasoned
    where reasoned.reason is not null

),

-- One contact of each reason in turn, so that a month of many disagreements does not hide a drifting scale.
listed as (

    select
        ranked.*,
        row_number() over (
            partition by ranked.form_version
            order by
                ranked.place asc,
                array_position(array['disagreement', 'flagged_rater', 'borderline'], ranked.reason) asc
        ) as list_place
    from ranked

)

select
    period.period_id::text as period_id,
    listed.form_version::text as form_version,
    listed.list_place::integer as list_place,
    listed.conversation_key::text as conversation_key,
    listed.review_key::text as review_key,
    listed.agent_key::text as agent_key,
    coalesce(employees.agent_name, listed.agent_key)::text as agent_name,
    listed.scores::integer as scores,
    case when listed.scores > 1 then listed.difference end::numeric as difference,
    listed.reason::text as reason,
    concat_ws(
        '；',
        case
            when listed.difference > 0
                then '已有 ' || listed.scores || ' 人评分，相差 ' || round(listed.difference, 1) || ' 分'
        end,
        '评分者的尺度有标记：' || listed.flags_zh,
        '首评距等级线 ' || listed.grade_limit || ' 分不超过 ' || trim_scale(defaults.calibration_margin) || ' 分'
    )::text as reason_zh,
    concat_ws(
        '. ',
        case
            when listed.difference > 0
                then listed.scores || ' scores differ by ' || round(listed.difference, 1) || ' points'
        end,
        'The scale of a reviewer is flagged: ' || listed.flags_en,
        'The first score is within ' || trim_scale(defaults.calibration_margin) || ' points of the grade limit '
        || listed.grade_limit
    )::text as reason_en
from listed
cross join period
cross join defaults
left join employees
    on listed.agent_key = employees.agent_key
where listed.list_place <= defaults.calibration_contacts
