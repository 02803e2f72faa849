{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'work_order_audit'), [
    'audit_id',
    'ticket_id',
    'employee_number',
    'auditor_number',
    'audited_at',
    'picked_by',
    'is_entry_compliant',
    'is_dispatch_correct',
    'is_customer_correct'
]) }}
