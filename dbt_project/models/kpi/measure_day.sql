-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={
    'measure_queue_visit': 'business_date',
    'measure_unit_conversation': 'business_date',
    'measure_conversation': 'business_date',
    'measure_segment': 'business_date',
    'measure_turn': 'business_date',
    'measure_response_session': 'business_date',
    'measure_unit_assignment': 'business_date',
    'measure_unit_ended': 'business_date',
    'measure_segment_started': 'business_date',
    'measure_turn_asked': 'business_date',
    'measure_ring': 'business_date',
    'measure_outcome': 'business_date',
    'measure_call_baseline_day': 'business_date',
    'measure_case_mix': 'business_date',
    'measure_qa_review': 'business_date',
    'measure_qa_item': 'business_date',
    'measure_qa_quota': 'business_date',
    'measure_exam': 'business_date',
    'measure_work_order_audit': 'business_date',
    'measure_daily_form': 'business_date',
    'measure_training': 'business_date',
    'measure_group_chat_day': 'business_date',
    'measure_dial': 'business_date',
    'measure_lead': 'business_date',
    'measure_lead_contact': 'business_date',
    'measure_enquiry': 'business_date',
    'measure_order_link': 'business_date',
    'measure_registration': 'business_date',
    'measure_customer_retention': 'business_date',
    'measure_ticket_touch': 'business_date',
    'measure_ticket_solved': 'business_date',
    'measure_ticket_waiting': 'business_date',
    'measure_ticket_entered': 'business_date',
    'measure_ticket_episode': 'business_date',
    'measure_sla_clock': 'business_date',
    'measure_backlog_day': 'business_date',
    'measure_agent_state': 'business_date',
    'measure_attendance': 'business_date',
    'measure_agent_time': 'business_date',
    'measure_paid_time': 'business_date',
    'measure_agent_concurrency': 'business_date',
    'measure_employment_day': 'business_date',
    'measure_cost_day': 'business_date',
    'measure_survey_invitation': 'business_date',
    'measure_rating': 'business_date',
    'measure_recommendation': 'business_date',
    'measure_complaint': 'business_date',
    'measure_handled': 'business_date',
    'measure_feedback': 'business_date',
    'measure_contact_block_day': 'business_date'
}, dates=['business_date']) }}

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_queue_visit') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_unit_conversation') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_conversation') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_segment') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_turn') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_response_session') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_unit_assignment') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_unit_ended') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_segment_started') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_turn_asked') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_ring') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_outcome') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_call_baseline_day') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_case_mix') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_qa_review') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_qa_item') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_qa_quota') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_exam') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_work_order_audit') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_daily_form') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_training') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_group_chat_day') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_dial') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_lead') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_lead_contact') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_enquiry') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_order_link') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_registration') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_customer_retention') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_ticket_touch') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_ticket_solved') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_ticket_waiting') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_ticket_entered') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_ticket_episode') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_sla_clock') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_backlog_day') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_agent_state') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_attendance') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_agent_time') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_paid_time') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_agent_concurrency') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_employment_day') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_cost_day') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_survey_invitation') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_rating') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_recommendation') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_complaint') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_handled') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_feedback') }}

union all

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    measure_value
from {{ ref('measure_contact_block_day') }}

{{ laid_by('business_date') }}
