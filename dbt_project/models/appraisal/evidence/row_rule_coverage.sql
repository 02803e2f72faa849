{{ config(indexes=[{'columns': ['source_id', 'rule_id'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

rules as (

    select * from {{ ref('stg_cfg__integrity_rule') }}
    where severity is not null

),

sources as (

    select * from {{ ref('stg_cfg__source') }}

),

instruments as (

    select * from {{ ref('stg_cfg__instrument') }}

),

findings as (

    select
        split_part(row_key, ':', 1) as source_id,
        rule_id,
        count(*) as found_count,
        count(*) filter (where severity = 'exclude' and is_deciding) as excluded_count
    from {{ ref('row_finding') }}
    group by split_part(row_key, ':', 1), rule_id

),

ratings as (

    select
        split_part(ratings.rating_key, ':', 1) as source_id,
        count(*) as row_count,
        count(ratings.customer_key) as known_customer_count,
        count(ratings.answered_at) as answered_count,
        count(ratings.answer_seconds) as timed_count,
        count(ratings.reason_code) as reason_count
    from {{ ref('fct_rating') }} as ratings
    cross join period
    where ratings.business_date between period.period_start and period.period_end or ratings.business_date is null
    group by split_part(ratings.rating_key, ':', 1)

),

reviews as (

    select
        split_part(reviews.review_key, ':', 1) as source_id,
        count(*) as row_count
    from {{ ref('fct_qa_review') }} as reviews
    cross join period
    where reviews.business_date between period.period_start and period.period_end
    group by split_part(reviews.review_key, ':', 1)

),

scales as (

    select
        source_id,
        count(*) as item_count,
        min(best) <> max(best) as has_both_ends
    from instruments
    group by source_id

),

read_texts as (

    select source_id
    from {{ ref('stg_text__reading') }}
    where entity = 'message' and feature = 'begged_score' and is_up_to_date
    group by source_id

),

defaults as (

    select (body #>> '{rating, straight_line_items}')::integer as straight_line_items
    from ({{ current_config('defaults') }}) as current_defaults

),

judged as (

    select
        scales.source_id,
        rules.rule_id,
        ratings.row_count,
        case rules.rule_id
            when 'V2' then ratings.known_customer_count > 0
            when 'V3' then ratings.known_customer_count > 0
            when 'V4' then ratings.timed_count > 0
            when 'V5' then read_texts.source_id is not null
            when 'V6' then ratings.reason_count > 0
            when 'V7' then ratings.answered_count > 0
            when 'V8' then sources.system = 'chatwoot'
            when 'V10' then scales.item_count >= defaults.straight_line_items and scales.has_both_ends
            else true
        end as is_possible
    from scales
    cross join defaults
    inner join sources
        on scales.source_id = sources.source_id
    inner join ratings
        on scales.source_id = ratings.source_id
    inner join rules
        on rules.rule_id <> 'V11'
    left join read_texts
        on scales.source_id = read_texts.source_id

    union all

    select
        reviews.source_id,
        rules.rule_id,
        reviews.row_count,
        true as is_possible
    from reviews
    inner join rules
        on rules.rule_id = 'V11'

)

select
    judged.source_id,
    judged.rule_id,
    rules.rule_name_zh,
    rules.rule_name_en,
    rules.owner_role,
    case when judged.is_possible then 'evaluated' else 'not_evaluated' end as state,
    case when judged.is_possible then rules.description_zh else '来源未提供：' || rules.needs_zh end as detail_zh,
    case when judged.is_possible then rules.description_en else 'not delivered: ' || rules.needs_en end as detail_en,
    case when judged.is_possible then judged.row_count end as row_count,
    case when judged.is_possible then coalesce(findings.found_count, 0) end as found_count,
    case when judged.is_possible then coalesce(findings.excluded_count, 0) end as excluded_count
from judged
inner join rules
    on judged.rule_id = rules.rule_id
left join findings
    on judged.source_id = findings.source_id and judged.rule_id = findings.rule_id
