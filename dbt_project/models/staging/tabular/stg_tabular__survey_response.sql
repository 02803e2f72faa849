{{ config(indexes=[{'columns': ['response_id', 'source_id'], 'unique': true}]) }}

{{ current_rows(source('raw_tabular', 'survey_response'), [
    'response_id',
    'instrument',
    'employee_number',
    'contact_source_id',
    'contact_id',
    'customer_phone_key as customer_key',
    'answered_at',
    'value',
    'reason'
]) }}
