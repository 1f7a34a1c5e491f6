//! The workloads by name.

use std::sync::Arc;

use crate::doors::Door;

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Conditional PUT of a regulator account nobody has sent before.
    PutNew,
    /// Conditional PUT of a stored account with a changed body.
    PutChanged,
    /// Conditional PUT of a stored account with the stored body.
    PutSame,
    /// Conditional PUT with changed bodies, half of the clients on a few keys.
    PutHot,
    /// Rounds of 32 clients that PUT one new account at once.
    Race,
    /// Rounds of 32 clients that POST one new patient with If-None-Exist at once.
    RacePost,
    /// GET by id.
    Read,
    /// GET by identifier.
    Find,
    /// POST of a new patient with If-None-Exist.
    IneNew,
    /// POST of a stored patient with If-None-Exist.
    IneKnown,
    /// GET by family name and birth date.
    Demographics,
    /// 70 % read and find, 25 % put-changed, 5 % put-new.
    Mixed,
    /// A creation through a partner door.
    Create(Door),
    /// The first page of the connect door's list.
    ListFirst,
    /// Its thousandth page, or the last.
    ListDeep,
    /// GET of patients by three parameters, sorted by two, with their practitioners.
    SearchThree,
    /// GET of the newest page of the history of all patients.
    HistoryPage,
    /// GET of the history of one account.
    HistoryOne,
    /// POST of a transaction of 20 conditional PUTs of new patients.
    Transaction,
}

impl Workload {
    /// All of them, in the order of a full run: those that only read come before the store has grown.
    pub const ALL: [Workload; 12] = [
        Workload::Read,
        Workload::Find,
        Workload::Demographics,
        Workload::IneKnown,
        Workload::PutSame,
        Workload::PutChanged,
        Workload::PutHot,
        Workload::PutNew,
        Workload::IneNew,
        Workload::Mixed,
        Workload::Race,
        Workload::RacePost,
    ];

    /// Those of the partner doors, in the order of a run: the list comes before it has grown.
    pub const PARTNERS: [Workload; 6] = [
        Workload::ListFirst,
        Workload::ListDeep,
        Workload::Create(Door::Cloud),
        Workload::Create(Door::Connect),
        Workload::Create(Door::Graph),
        Workload::Create(Door::Preperson),
    ];

    /// What EHR systems do beside: not part of `all`.
    pub const EHR: [Workload; 4] = [
        Workload::SearchThree,
        Workload::HistoryPage,
        Workload::HistoryOne,
        Workload::Transaction,
    ];

    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Workload::PutNew => "put-new",
            Workload::PutChanged => "put-changed",
            Workload::PutSame => "put-same",
            Workload::PutHot => "put-hot",
            Workload::Race => "race",
            Workload::RacePost => "race-post",
            Workload::Read => "read",
            Workload::Find => "find",
            Workload::IneNew => "ine-new",
            Workload::IneKnown => "ine-known",
            Workload::Demographics => "demographics",
            Workload::Mixed => "mixed",
            Workload::Create(Door::Cloud) => "cloud",
            Workload::Create(Door::Connect) => "connect",
            Workload::Create(Door::Graph) => "graph",
            Workload::Create(Door::Preperson) => "preperson",
            Workload::ListFirst => "list-first",
            Workload::ListDeep => "list-1000",
            Workload::SearchThree => "search-3",
            Workload::HistoryPage => "history-page",
            Workload::HistoryOne => "history-one",
            Workload::Transaction => "transaction-20",
        }
    }

    /// A comma-separated list, or `all`.
    pub fn parse_list(text: &str) -> Result<Arc<[Workload]>, String> {
        if text == "all" {
            return Ok(Arc::from(Workload::ALL));
        }
        text.split(',')
            .map(|name| {
                Workload::ALL
                    .into_iter()
                    .chain(Workload::PARTNERS)
                    .chain(Workload::EHR)
                    .find(|workload| workload.name() == name.trim())
                    .ok_or_else(|| format!("there is no workload {name:?}"))
            })
            .collect()
    }

    /// Whether it runs in rounds.
    pub fn is_race(self) -> bool {
        matches!(self, Workload::Race | Workload::RacePost)
    }

    /// Whether it asks a partner door.
    pub fn is_of_partners(self) -> bool {
        Workload::PARTNERS.contains(&self)
    }

    /// Whether it needs stored accounts.
    pub fn needs_accounts(self) -> bool {
        match self {
            Workload::PutChanged
            | Workload::PutSame
            | Workload::PutHot
            | Workload::Read
            | Workload::Find
            | Workload::Mixed
            | Workload::PutNew
            | Workload::HistoryOne
            | Workload::Race => true,
            Workload::RacePost | Workload::IneNew | Workload::IneKnown | Workload::Demographics => false,
            Workload::Create(_) | Workload::ListFirst | Workload::ListDeep => false,
            Workload::SearchThree | Workload::HistoryPage | Workload::Transaction => false,
        }
    }

    /// Whether it needs stored patients.
    pub fn needs_patients(self) -> bool {
        !self.needs_accounts()
    }
}

#[cfg(test)]
mod tests {
    use super::Workload;

    #[test]
    fn names_are_read_back_and_strangers_are_named() {
        for workload in Workload::ALL
            .into_iter()
            .chain(Workload::PARTNERS)
            .chain(Workload::EHR)
        {
            assert_eq!(
                Workload::parse_list(workload.name()).unwrap().as_ref(),
                [workload]
            );
        }
        assert_eq!(Workload::parse_list("read, race").unwrap().len(), 2);
        assert!(Workload::parse_list("read,wirte").unwrap_err().contains("wirte"));
    }
}
