{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'group_chat_day'), [
    'group_id',
    'employee_number',
    'chat_date',
    'messages_sent',
    'broadcasts_sent'
]) }}
