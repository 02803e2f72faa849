{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'ticket_event'), [
    'ticket_id',
    'event_number',
    'event_at',
    'event_kind',
    'employee_number',
    'priority',
    'team_key',
    'is_thanks'
]) }}
