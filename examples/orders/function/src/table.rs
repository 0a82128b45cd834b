//! The tables, through the AWS SDK.
//!
//! An order is some items of one `orderId`: number 0 under the sort key `line` is the order itself, its lines follow
//! from 1. Only number 0 has the attributes that the indexes are made of, so an index has each order once.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Select},
};

use crate::{
    create::Customers,
    failure::Failure,
    get::{self, Shown},
    list::{self, Entry, Newest},
    order::{Line, Order, State},
    process,
};

/// How many orders lapse in one go. Each takes some milliseconds, and all of them the function's timeout at most.
const SWEEP: i32 = 500;

const READING: &str = "reading orders";
const WRITING: &str = "writing an order";

type Item = HashMap<String, AttributeValue>;

/// The table of customers, by `customerId`.
#[derive(Debug, Clone)]
pub struct CustomersTable {
    /// Asks DynamoDB.
    pub client: Client,
    /// Which table.
    pub name: String,
}

impl Customers for CustomersTable {
    async fn has(&self, customer_id: &str) -> Result<bool, Failure> {
        let asked = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("customerId", text(customer_id));
        // The key is enough, and the names and addresses of people need not travel.
        let answer = asked.projection_expression("customerId").send().await;
        let answer = answer.map_err(|error| Failure::caused("reading a customer", &error))?;
        Ok(answer.item.is_some())
    }
}

/// The table of orders, by `orderId` and `line`.
#[derive(Debug, Clone)]
pub struct OrdersTable {
    /// Asks DynamoDB.
    pub client: Client,
    /// Which table.
    pub name: String,
}

impl get::Orders for OrdersTable {
    async fn get(&self, order_id: &str) -> Result<Option<Shown>, Failure> {
        let asked = self.client.query().table_name(&self.name).consistent_read(true);
        let asked = asked
            .key_condition_expression("orderId = :id")
            .expression_attribute_values(":id", text(order_id));
        // One page: an order has some kilobytes at most.
        let answer = asked.send().await.map_err(|error| Failure::caused(READING, &error))?;
        shown(answer.items())
    }
}

/// The index of orders by customer and time.
#[derive(Debug, Clone)]
pub struct CustomerIndex {
    /// The table it belongs to.
    pub table: OrdersTable,
    /// Its name.
    pub name: String,
}

impl list::Orders for CustomerIndex {
    async fn newest(&self, customer_id: &str) -> Result<Newest, Failure> {
        let asked = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .index_name(&self.name);
        let asked = asked.key_condition_expression("customerId = :id");
        let asked = asked.expression_attribute_values(":id", text(customer_id));
        let answer = asked.scan_index_forward(false).limit(list::LIMIT).send().await;
        let answer = answer.map_err(|error| Failure::caused(READING, &error))?;
        let orders = answer.items().iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Newest {
            orders,
            more: answer.last_evaluated_key().is_some(),
        })
    }
}

/// The table of orders with its index by state and time: all that the worker needs.
#[derive(Debug, Clone)]
pub struct StateIndex {
    /// The table it belongs to.
    pub table: OrdersTable,
    /// Its name.
    pub name: String,
}

impl process::Orders for StateIndex {
    async fn place(&self, order: &Order) -> Result<(), Failure> {
        // The order itself comes last: until then nobody sees the lines, and a run that was cut short begins again.
        for item in lines(order) {
            let put = self
                .table
                .client
                .put_item()
                .table_name(&self.table.name)
                .set_item(Some(item));
            put.send().await.map_err(|error| Failure::caused(WRITING, &error))?;
        }
        let put = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(head(order)));
        let answer = put.condition_expression("attribute_not_exists(orderId)").send().await;
        match answer.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Err(error) if !error.is_conditional_check_failed_exception() => Err(Failure::caused(WRITING, &error)),
            _ => Ok(()),
        }
    }

    async fn open_since_before(&self, time: &str) -> Result<Vec<String>, Failure> {
        let asked = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .index_name(&self.name);
        // "state" is a word of DynamoDB's own.
        let asked = asked.key_condition_expression("#state = :open AND placedAt < :time");
        let asked = asked.expression_attribute_names("#state", "state");
        let asked = asked.expression_attribute_values(":open", text(State::Open.as_str()));
        let asked = asked.expression_attribute_values(":time", text(time));
        let answer = asked.select(Select::AllProjectedAttributes).limit(SWEEP).send().await;
        let answer = answer.map_err(|error| Failure::caused(READING, &error))?;
        answer.items().iter().map(|item| string(item, "orderId")).collect()
    }

    async fn lapse(&self, order_id: &str) -> Result<(), Failure> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update.key("orderId", text(order_id)).key("line", number(0));
        let update = update
            .update_expression("SET #state = :lapsed")
            .condition_expression("#state = :open");
        let update = update.expression_attribute_names("#state", "state");
        let update = update.expression_attribute_values(":open", text(State::Open.as_str()));
        let answer = update
            .expression_attribute_values(":lapsed", text(State::Lapsed.as_str()))
            .send()
            .await;
        match answer.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Err(error) if !error.is_conditional_check_failed_exception() => Err(Failure::caused(WRITING, &error)),
            _ => Ok(()),
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u32) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The item of the order itself.
fn head(order: &Order) -> Item {
    item([
        ("orderId", text(&order.order_id)),
        ("line", number(0)),
        ("customerId", text(&order.customer_id)),
        ("placedAt", text(&order.placed_at)),
        ("state", text(State::Open.as_str())),
    ])
}

/// The items of its lines.
fn lines(order: &Order) -> impl Iterator<Item = Item> {
    order.lines.iter().zip(1_u32..).map(|(line, position)| {
        item([
            ("orderId", text(&order.order_id)),
            ("line", number(position)),
            ("sku", text(&line.sku)),
            ("quantity", number(line.quantity)),
        ])
    })
}

/// The order that these items are, sorted by `line` as DynamoDB answers; none as long as the order itself isn't there.
fn shown(items: &[Item]) -> Result<Option<Shown>, Failure> {
    let Some((head, lines)) = items.split_first() else {
        return Ok(None);
    };
    if head.get("line") != Some(&number(0)) {
        return Ok(None);
    }
    let line = |item: &Item| {
        Ok(Line {
            sku: string(item, "sku")?,
            quantity: count(item, "quantity")?,
        })
    };
    Ok(Some(Shown {
        order_id: string(head, "orderId")?,
        customer_id: string(head, "customerId")?,
        placed_at: string(head, "placedAt")?,
        state: string(head, "state")?,
        lines: lines.iter().map(line).collect::<Result<_, Failure>>()?,
    }))
}

/// An order as the index has it.
fn entry(item: &Item) -> Result<Entry, Failure> {
    Ok(Entry {
        order_id: string(item, "orderId")?,
        placed_at: string(item, "placedAt")?,
        state: string(item, "state")?,
    })
}

fn string(item: &Item, name: &str) -> Result<String, Failure> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value
        .cloned()
        .ok_or_else(|| Failure::new(format!("an item has no text under {name}")))
}

fn count(item: &Item, name: &str) -> Result<u32, Failure> {
    let value = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    value.ok_or_else(|| Failure::new(format!("an item has no count under {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        let line = |sku: &str, quantity| Line {
            sku: sku.into(),
            quantity,
        };
        Order {
            order_id: "o-1".into(),
            customer_id: "c-1".into(),
            placed_at: "2026-11-26T09:30:00Z".into(),
            lines: vec![line("tea", 2), line("cup", 1)],
        }
    }

    fn items(order: &Order) -> Vec<Item> {
        [head(order)].into_iter().chain(lines(order)).collect()
    }

    #[test]
    fn an_order_reads_as_it_was_written() {
        let Order {
            order_id,
            customer_id,
            placed_at,
            lines,
        } = order();
        let state = "open".to_owned();
        let expected = Shown {
            order_id,
            customer_id,
            placed_at,
            state,
            lines,
        };
        assert_eq!(shown(&items(&order())), Ok(Some(expected)));
    }

    #[test]
    fn an_order_is_there_when_its_own_item_is() {
        assert_eq!(shown(&[]), Ok(None));
        assert_eq!(shown(&items(&order())[1..]), Ok(None));
    }

    #[test]
    fn only_the_order_itself_is_in_the_indexes() {
        for (number, item) in items(&order()).iter().enumerate() {
            assert_eq!(item.contains_key("customerId"), number == 0);
            assert_eq!(item.contains_key("state"), number == 0);
        }
    }

    #[test]
    fn an_item_that_somebody_else_wrote_wrongly_is_a_failure_and_no_guess() {
        let mut written = items(&order());
        written[2].insert("quantity".into(), text("1"));
        assert_eq!(
            shown(&written),
            Err(Failure::new("an item has no count under quantity"))
        );
        written[0].remove("state");
        assert_eq!(shown(&written), Err(Failure::new("an item has no text under state")));
    }
}
