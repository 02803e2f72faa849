-- One row per contact that the reviewers of a form score together.
select
    calibration.form_version,
    calibration.list_place,
    calibration.conversation_key,
    calibration.agent_key,
    calibration.agent_name,
    calibration.difference,
    calibration.reason,
    calibration.reason_zh,
    calibration.reason_en
from pub_operations.calibration
