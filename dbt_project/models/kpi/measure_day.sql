-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
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
