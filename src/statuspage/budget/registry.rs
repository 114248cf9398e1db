//! One budget per token and remote service, whoever asks for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::{BaseUrl, Token};
use super::Budget;

/// Hands out the shared budget of a token. Clones share the budgets.
#[derive(Clone, Debug)]
pub struct BudgetRegistry {
    limit: usize,
    budgets: Arc<Mutex<HashMap<(String, String), Budget>>>,
}

impl BudgetRegistry {
    /// Budgets of `limit` requests in any 60 seconds each; 0 is no limit.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            budgets: Arc::default(),
        }
    }

    /// The budget of a token at a remote service, made at the first call.
    #[must_use]
    pub fn budget(&self, token: &Token, base_url: &BaseUrl) -> Budget {
        let key = (token.fingerprint(), base_url.to_string());
        self.budgets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_insert_with(|| Budget::new(self.limit))
            .clone()
    }

    /// Every budget with the fingerprint of its token and the address of its remote service, in a fixed order.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String, Budget)> {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = budgets
            .iter()
            .map(|((fingerprint, url), budget)| (fingerprint.clone(), url.clone(), budget.clone()))
            .collect();
        all.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
        all
    }
}

#[cfg(test)]
mod tests {
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
}
