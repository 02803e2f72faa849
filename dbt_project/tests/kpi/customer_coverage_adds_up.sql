-- Each conversation has one reason why its customer is known or not.
select
    source_id,
    business_date
from {{ ref('customer_coverage') }}
where
    conversation_count
    <> known_count + shared_count + withheld_count + unusable_count + missing_count
