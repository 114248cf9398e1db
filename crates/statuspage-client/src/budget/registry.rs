//! One budget per token and remote service, whoever asks for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::{BaseUrl, Token};
use super::{Budget, Ledger, LedgerError, LedgerKey};
use statuspage_clock::Clock;

/// Hands out the shared budget of a token. Clones share the budgets.
#[derive(Clone, Debug)]
pub struct BudgetRegistry {
    limit: usize,
    budgets: Arc<Mutex<BTreeMap<LedgerKey, Budget>>>,
    ledger: Option<(Arc<dyn Ledger>, Clock)>,
}

impl BudgetRegistry {
    /// Budgets of `limit` requests in any 60 seconds each; 0 is no limit.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            budgets: Arc::default(),
            ledger: None,
        }
    }

    /// The same, whose budgets outlive the process: what each gives is put on record in `ledger`, by this clock.
    #[must_use]
    pub fn recorded_in(mut self, ledger: Arc<dyn Ledger>, clock: Clock) -> Self {
        self.ledger = Some((ledger, clock));
        self
    }

    /// The budget of a token at a remote service, made at the first call.
    #[must_use]
    pub fn budget(&self, token: &Token, base_url: &BaseUrl) -> Budget {
        let key = LedgerKey {
            token: token.fingerprint(),
            address: base_url.to_string(),
        };
        let budget = || match &self.ledger {
            Some((ledger, clock)) => Budget::recorded(self.limit, Arc::clone(ledger), key.clone(), clock.clone()),
            None => Budget::new(self.limit),
        };
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.entry(key.clone()).or_insert_with(budget).clone()
    }

    /// Writes down exactly what every budget has given: see [`Budget::settle`].
    ///
    /// # Errors
    /// The first ledger that failed; the others are written all the same.
    pub async fn settle(&self) -> Result<(), LedgerError> {
        let mut result = Ok(());
        for (_, _, budget) in self.all() {
            result = result.and(budget.settle().await);
        }
        result
    }

    /// Every budget with the fingerprint of its token and the address of its remote service, in a fixed order.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String, Budget)> {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets
            .iter()
            .map(|(key, budget)| (key.token.clone(), key.address.clone(), budget.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryLedger, Priority};
    use super::*;

    #[test]
    fn a_budget_belongs_to_a_token_at_a_service() {
        let registry = BudgetRegistry::new(60);
        let token = Token::new("first".to_owned()).unwrap();
        let other = Token::new("second".to_owned()).unwrap();
        let url = BaseUrl::parse("https://api.statuspage.io/v1/", false).unwrap();
        let same_url = BaseUrl::parse("https://api.statuspage.io/v1", false).unwrap();
        let local = BaseUrl::parse("http://127.0.0.1:8080/v1", false).unwrap();
        let budget = registry.budget(&token, &url);
        assert!(budget.is_same(&registry.budget(&token, &same_url)));
        assert!(!budget.is_same(&registry.budget(&other, &url)));
        assert!(!budget.is_same(&registry.budget(&token, &local)));
        assert_eq!(registry.all().len(), 3);
    }

    #[tokio::test]
    async fn what_every_budget_has_given_is_written_down() {
        let ledger = MemoryLedger::default();
        let registry = BudgetRegistry::new(60).recorded_in(Arc::new(ledger.clone()), Clock::System);
        let url = BaseUrl::parse("https://api.statuspage.io/v1", false).unwrap();
        for name in ["first", "second"] {
            let token = Token::new(name.to_owned()).unwrap();
            drop(registry.budget(&token, &url).acquire(Priority::Write, "page").await);
        }
        registry.settle().await.unwrap();
        for (token, address, _) in registry.all() {
            let book = ledger.book(&LedgerKey { token, address }).unwrap();
            let usages: Vec<_> = book
                .processes
                .values()
                .map(|usage| (usage.open, usage.ended.len()))
                .collect();
            assert_eq!(
                usages,
                [(0, 1)],
                "exactly what was sent, and nothing that is only reserved"
            );
        }
        ledger.fail(Some(LedgerError::Unavailable("full".to_owned())));
        assert!(registry.settle().await.is_err());
    }
}
