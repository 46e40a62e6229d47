use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

/// What a customer owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The customer's mail address.
    pub to: String,
    /// How much, in cents.
    pub cents: u64,
    /// The money came in.
    pub paid: bool,
}

/// All invoices at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// How many there are.
    pub invoices: usize,
    /// What they sum up to, in cents.
    pub total: u64,
    /// What has not come in of it.
    pub open: u64,
}

/// The invoices by their numbers. An app in earnest has a database here.
#[derive(Debug, Default)]
pub struct Books(Mutex<BTreeMap<u32, Invoice>>);

impl Books {
    /// Enters an invoice; one of this number that is there already stays as it is.
    pub fn enter(&self, number: u32, to: &str, cents: u64) {
        let invoice = Invoice { to: to.to_owned(), cents, paid: false };
        self.lock().entry(number).or_insert(invoice);
    }

    /// The money came in. Answers whether there is such an invoice.
    pub fn pay(&self, number: u32) -> bool {
        self.lock().get_mut(&number).map(|invoice| invoice.paid = true).is_some()
    }

    /// An invoice, if there is one of this number.
    pub fn get(&self, number: u32) -> Option<Invoice> {
        self.lock().get(&number).cloned()
    }

    /// All of them at a glance.
    pub fn statement(&self) -> Statement {
        let invoices = self.lock();
        let open = invoices.values().filter(|invoice| !invoice.paid);
        Statement {
            invoices: invoices.len(),
            total: invoices.values().map(|invoice| invoice.cents).sum(),
            open: open.map(|invoice| invoice.cents).sum(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Invoice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
