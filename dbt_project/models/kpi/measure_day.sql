-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.
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
from {{ ref('measure_agent_state') }}

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
from {{ ref('measure_qa_review') }}

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
from {{ ref('measure_attendance') }}
