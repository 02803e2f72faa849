{{ moves(dates=['business_date']) }}

with marks as (

    select * from {{ ref('int_qa_item') }}

),

reviews as (

    select
        review_key,
        conversation_key,
        reviewer_key,
        agent_key,
        team_key,
        is_blind,
        exclusion_rule,
        is_valid_for_score,
        business_date
    from {{ ref('fct_qa_review') }}

),

items as (

    select * from {{ ref('stg_cfg__qa_item') }}

),

grouped as (

    select
        marks.source_id || ':' || marks.review_id || '/' || marks.item_label as qa_item_key,
        marks.source_id || ':' || marks.review_id as review_key,
        marks.item_label,
        items.item_key,
        items.item_group,
        items.weight,
        items.critical_kind,
        marks.mark,
        marks.most_marks,
        reviews.conversation_key,
        reviews.reviewer_key,
        reviews.agent_key,
        reviews.team_key,
        coalesce(reviews.is_blind, false) as is_blind,
        reviews.exclusion_rule,
        coalesce(reviews.is_valid_for_score, false) as is_valid_for_score,
        reviews.business_date,
        -- A mark above the best mark is no mark: nobody can earn it.
        case
            when marks.mark <= marks.most_marks then trim_scale(marks.mark / nullif(marks.most_marks, 0))
        end as mark_share
    from marks
    left join reviews
        on marks.source_id || ':' || marks.review_id = reviews.review_key
    left join items
        on
            marks.item_label = items.item_label
            and reviews.business_date between items.valid_from and items.valid_to

)

select
    qa_item_key,
    review_key,
    conversation_key,
    reviewer_key,
    agent_key,
    team_key,
    is_blind,
    exclusion_rule,
    item_label,
    item_key,
    item_group,
    weight,
    critical_kind,
    mark,
    most_marks,
    mark_share,
    mark_share is not null as is_applicable,
    -- One row stands for the review where reviews are counted and not their items.
    mark_share is not null
    and item_group is not null
    and row_number() over (
        partition by review_key, item_group, mark_share is not null
        order by item_label
    ) = 1 as is_first_of_group,
    mark_share is not null
    and critical_kind is not null
    and row_number() over (
        partition by review_key, critical_kind, mark_share is not null
        order by item_label
    ) = 1 as is_first_of_critical,
    case
        when critical_kind is not null
            then coalesce(bool_or(mark_share = 0) over (partition by review_key, critical_kind), false)
    end as is_critical_failed,
    is_valid_for_score,
    business_date
from grouped
