-- An amount is its lines less what is held; a pool is shared out to the fen; every scored agent has a line; who was not
-- paid anything by a rule has no number, never 0.
with plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

payments as (

    select * from {{ ref('payment') }}

),

scores as (

    select
        agent_key,
        status
    from {{ ref('score') }}

),

pools as (

    select
        plans.plan_id,
        plans.pool_budget_fen,
        sum(coalesce(payments.bonus_fen, 0) + coalesce(payments.piece_fen, 0)) as shared_fen
    from plans
    inner join payments
        on plans.plan_id = payments.plan_id
    where plans.pool_budget_fen is not null
    group by plans.plan_id, plans.pool_budget_fen
    -- A pool of people who all earned nothing stays whole.
    having bool_or(payments.pool_share is not null)

)

select
    scores.agent_key,
    payments.amount_fen,
    payments.bonus_fen
from scores
left join payments
    on scores.agent_key = payments.agent_key
left join pools
    on payments.plan_id = pools.plan_id
where
    payments.agent_key is null
    or payments.status <> scores.status
    or payments.amount_fen <> coalesce(payments.bonus_fen, 0) + coalesce(payments.piece_fen, 0)
    + coalesce(payments.adjustment_fen, 0) - coalesce(payments.held_fen, 0)
    or (payments.status = 'withheld' and (payments.bonus_fen is not null or payments.coefficient is not null))
    or payments.held_fen not between 0 and payments.bonus_fen
    or pools.pool_budget_fen <> pools.shared_fen
