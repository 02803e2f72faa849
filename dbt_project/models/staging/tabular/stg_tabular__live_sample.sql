{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'live_sample'), [
    'source_id as queue_source_id',
    'queue_account',
    'sampled_at',
    'agents_online',
    'agents_available',
    'contacts_waiting',
    'longest_wait_seconds',
    'contacts_in_progress'
]) }}
