{{ config(indexes=[{'columns': ['row_kind', 'row_key', 'rule_id'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

rules as (

    select * from {{ ref('stg_cfg__integrity_rule') }}

),

ratings as (

    select * from {{ ref('fct_rating') }}

),

reviews as (

    select * from {{ ref('fct_qa_review') }}

),

attendance as (

    select * from {{ ref('fct_attendance') }}

),

disputed as (

    select * from {{ ref('int_row_exclusion') }}

),

broken as (

    select
        'rating' as row_kind,
        ratings.rating_key as row_key,
        ratings.conversation_key,
        ratings.served_agent_key as agent_key,
        broken.rule_id,
        coalesce(ratings.exclusion_rule = broken.rule_id, false) as is_deciding,
        case when broken.rule_id = 'V4' and not ratings.is_fast_excluded then 'mark' end as lighter_severity,
        case broken.rule_id
            when 'V4'
                then
                    '邀请后' || coalesce(ratings.answer_seconds::text, '未知') || '秒作答'
                    || coalesce('；占该坐席评价的' || round(100 * ratings.fast_share) || '%', '')
            when 'V5' then '坐席原话（已脱敏）：' || ratings.begging_excerpt
            when 'V6' then '原因：' || ratings.reason_code
            when 'V8' then '首次' || ratings.rating_value || '，后改为' || ratings.last_value
        end as detail_zh,
        case broken.rule_id
            when 'V4'
                then
                    coalesce(ratings.answer_seconds || ' s after the invitation', 'before the agent''s last message')
                    || coalesce('; ' || round(100 * ratings.fast_share) || ' % of the agent''s ratings are', '')
            when 'V5' then 'words of the agent, masked: ' || ratings.begging_excerpt
            when 'V6' then 'reason: ' || ratings.reason_code
            when 'V8' then 'first ' || ratings.rating_value || ', later ' || ratings.last_value
        end as detail_en,
        ratings.business_date
    from ratings
    cross join lateral unnest(ratings.rule_ids) as broken (rule_id)

    union all

    select
        'review' as row_kind,
        reviews.review_key as row_key,
        reviews.conversation_key,
        reviews.agent_key,
        reviews.exclusion_rule as rule_id,
        true as is_deciding,
        null::text as lighter_severity,
        (
            select
                string_agg(
                    case defects.defect
                        when 'own_review' then '自评'
                        when 'direct_line' then '直属上级评'
                        when 'other_period' then '联系不在当期'
                        when 'form_version' then '表单版本不符'
                        when 'short_playback' then '播放不足'
                    end, '、' order by defects.position
                )
            from unnest(reviews.defects) with ordinality as defects (defect, position)
        ) as detail_zh,
        (
            select
                string_agg(
                    case defects.defect
                        when 'own_review' then 'reviewed oneself'
                        when 'direct_line' then 'reviewed by the direct manager'
                        when 'other_period' then 'contact of another period'
                        when 'form_version' then 'form version not in force'
                        when 'short_playback' then 'too little played'
                    end, ', ' order by defects.position
                )
            from unnest(reviews.defects) with ordinality as defects (defect, position)
        ) as detail_en,
        reviews.business_date
    from reviews
    where reviews.exclusion_rule is not null and reviews.exclusion_rule <> 'disputed'

    union all

    select
        disputed.row_kind,
        disputed.row_key,
        coalesce(ratings.conversation_key, reviews.conversation_key) as conversation_key,
        coalesce(ratings.served_agent_key, reviews.agent_key, attendance.agent_key) as agent_key,
        'disputed' as rule_id,
        true as is_deciding,
        'exclude' as lighter_severity,
        '申诉' || disputed.dispute_id || '的裁决' as detail_zh,
        'decision of dispute ' || disputed.dispute_id as detail_en,
        coalesce(ratings.business_date, reviews.business_date, attendance.business_date) as business_date
    from disputed
    left join ratings
        on disputed.row_kind = 'rating' and disputed.row_key = ratings.rating_key
    left join reviews
        on disputed.row_kind = 'review' and disputed.row_key = reviews.review_key
    left join attendance
        on disputed.row_kind = 'attendance' and disputed.row_key = attendance.attendance_key
    where
        ratings.rating_key is not null or reviews.review_key is not null or attendance.attendance_key is not null

)

select
    broken.row_kind,
    broken.row_key,
    broken.conversation_key,
    broken.agent_key,
    broken.rule_id,
    coalesce(broken.lighter_severity, rules.severity) as severity,
    broken.is_deciding,
    coalesce(broken.detail_zh, rules.description_zh) as evidence_zh,
    coalesce(broken.detail_en, rules.description_en) as evidence_en,
    broken.business_date
from broken
left join rules
    on broken.rule_id = rules.rule_id
cross join period
where
    broken.business_date between period.period_start and period.period_end
    -- What belongs to no conversation has no date and still has to be seen.
    or broken.business_date is null
