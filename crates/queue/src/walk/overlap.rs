//! Two claims at the same time, on PostgreSQL: what they take is what the model says for one of the orders in which their
//! halves can happen.

use nightshift_model::state::{PROCESSES, State};
use nightshift_model::{Engine, Protocol, Scope, Step};

use super::world::World;

/// The steps of an order, and the state to which they lead.
type Order = (Vec<Step>, State);

/// Lets both processes claim at the same time. Returns the order that explains what they took.
pub async fn claim_both(protocol: &Protocol, world: &mut World, state: &State) -> Order {
    let halves = Protocol { scope: Scope { engine: Engine::Postgres, ..protocol.scope }, ..*protocol };
    let mut orders = Vec::new();
    follow(&halves, state, &mut Vec::new(), &mut orders);
    world.pass_a_moment(state);
    let claimed = world.claim_both().await;
    let explains = |order: &&Order| (0..PROCESSES).all(|number| world.took(number, &claimed[number], state, &order.1));
    let order = orders.iter().find(explains).cloned();
    let order =
        order.unwrap_or_else(|| panic!("{claimed:?} were claimed at a time, which no order explains: {orders:?}"));
    for (number, claimed) in claimed.iter().enumerate() {
        world.note_claim(number, claimed, state, &order.1);
    }
    order
}

fn follow(protocol: &Protocol, state: &State, steps: &mut Vec<Step>, orders: &mut Vec<Order>) {
    let halves: Vec<Step> = protocol
        .steps(state)
        .into_iter()
        .filter(|step| match step {
            Step::Pick(_) => !steps.contains(step),
            Step::ClaimPicked(_) => true,
            _ => false,
        })
        .collect();
    if halves.is_empty() {
        orders.push((steps.clone(), state.clone()));
    }
    for step in halves {
        steps.push(step);
        follow(protocol, &protocol.take(state, &step), steps, orders);
        steps.pop();
    }
}
