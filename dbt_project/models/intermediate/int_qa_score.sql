{{ config(indexes=[{'columns': ['review_id', 'source_id'], 'unique': true}]) }}

with reviews as (

    select * from {{ ref('int_qa_review') }}

),

marks as (

    select * from {{ ref('int_qa_item') }}

),

items as (

    select * from {{ ref('stg_cfg__qa_item') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        reviews.source_id,
        reviews.review_id,
        {{ local_date('reviews.reviewed_at', 'site') }} as review_date
    from reviews
    cross join site

),

-- Each item has a row for every name it has on a form.
declared as (

    select
        item_key,
        valid_from,
        valid_to
    from items
    group by item_key, valid_from, valid_to

),

forms as (

    select
        review_days.review_date,
        count(*) as item_count
    from (
        select review_date
        from dated
        group by review_date
    ) as review_days
    inner join declared
        on review_days.review_date between declared.valid_from and declared.valid_to
    group by review_days.review_date

),

marked as (

    select
        dated.source_id,
        dated.review_id,
        dated.review_date,
        items.item_key,
        items.weight,
        items.critical_kind,
        -- A mark above the best mark is no mark: nobody can earn it.
        coalesce(marks.mark > marks.most_marks, false) as is_impossible,
        case when marks.mark <= marks.most_marks then marks.mark / nullif(marks.most_marks, 0) end as mark_share
    from dated
    inner join marks
        on dated.source_id = marks.source_id and dated.review_id = marks.review_id
    left join items
        on marks.item_label = items.item_label and dated.review_date between items.valid_from and items.valid_to

),

summed as (

    select
        source_id,
        review_id,
        review_date,
        count(*) as mark_count,
        count(*) = count(item_key) and not bool_or(is_impossible) as is_known,
        coalesce(bool_or(mark_share = 0 and critical_kind is not null), false) as is_fatal,
        trim_scale(
            100 * sum(weight * mark_share) / nullif(sum(weight) filter (where mark_share is not null), 0)
        ) as item_score
    from marked
    group by source_id, review_id, review_date

)

select
    summed.source_id,
    summed.review_id,
    case when summed.is_known then summed.item_score end as item_score,
    summed.is_fatal,
    summed.is_known and summed.item_score is not null and summed.mark_count = forms.item_count as is_complete
from summed
left join forms
    on summed.review_date = forms.review_date
