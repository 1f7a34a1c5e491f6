//! Whether the trail is what was sealed, and if not, which row is the first that is not.

use std::collections::BTreeMap;

use fhir::Timestamp;

use super::block::{MARK_BYTES, mark};
use super::head::Head;
use super::key::Keys;
use super::row::{self, AuditRow, Hash, START};
use super::seal::{self, Sealed};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::store::Store;
use crate::transaction::Transaction;
use fhir::time::MICROS_PER_SECOND;

/// Blocks that are read in one go.
const BLOCKS_AT_ONCE: i64 = 8;
/// A row that a seal should hold and does not is waited for so long: on PostgreSQL it may be about to be sealed.
const PENDING_SECONDS: i64 = 60;
/// How often the walk over a space begins anew because retention removed rows under it.
const WALKS: usize = 3;

/// What [`Store::verify_trail`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each space that has rows, seals or heads; 0 is for what was refused before a space was known.
    pub spaces: Vec<SpaceReport>,
}

/// What was found of a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceReport {
    /// Its number.
    pub space: i64,
    /// Rows that fit their seals.
    pub rows: u64,
    /// Rows that retention removed before those.
    pub cut: u64,
    /// Rows behind the last seal: nothing vouches for them yet.
    pub unsealed: u64,
    /// Heads outside the database that were compared.
    pub heads: u64,
    /// When the last seal was made.
    pub sealed: Option<Timestamp>,
    /// The first row that does not fit.
    pub finding: Option<Finding>,
}

/// The first bad row of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its position in the chain, from 1: the id of its AuditEvent. `None` of a row that has none.
    pub position: Option<i64>,
    /// Its number in the table, when it is known.
    pub number: Option<i64>,
    /// What is wrong with it.
    pub what: String,
}

impl Store {
    /// Compares the audit trail with its seals, and those with heads that were kept outside the database. Without keys
    /// no signature is checked. `progress` hears how many rows have been compared.
    ///
    /// # Errors
    /// What the store says. That something does not fit is no error but a [`Finding`].
    pub async fn verify_trail(
        &self,
        keys: &Keys,
        heads: Vec<Head>,
        mut progress: impl FnMut(u64),
    ) -> Result<Report, StoreError> {
        let mut by_space: BTreeMap<i64, Vec<Head>> = BTreeMap::new();
        for head in heads {
            by_space.entry(head.space).or_default().push(head);
        }
        for space in self.read_all(spaces).await? {
            by_space.entry(space).or_default();
        }
        let (mut reports, mut before) = (Vec::new(), 0);
        for (space, mut heads) in by_space {
            heads.sort_by_key(|head| head.count);
            let report = self
                .verify_space(space, keys, &heads, &mut |rows| progress(before + rows))
                .await?;
            before += report.rows;
            reports.push(report);
        }
        Ok(Report { spaces: reports })
    }

    async fn verify_space(
        &self,
        space: i64,
        keys: &Keys,
        heads: &[Head],
        progress: &mut impl FnMut(u64),
    ) -> Result<SpaceReport, StoreError> {
        let mut walks = 1;
        loop {
            let mut walk = Walk::new(space, keys.clone(), heads.to_vec());
            while !walk.is_over {
                walk = self
                    .read_all(move |tx| {
                        let mut walk = walk;
                        walk.step(tx)?;
                        Ok::<_, StoreError>(walk)
                    })
                    .await?;
                progress(walk.report.rows);
            }
            let block = walk.block;
            let is_gone =
                walk.report.finding.is_some() && self.read_all(move |tx| was_cut(tx, space, block)).await?;
            if !is_gone || walks == WALKS {
                return Ok(walk.report);
            }
            walks += 1;
        }
    }
}

/// The spaces that have rows or seals.
fn spaces(tx: &mut Transaction<'_>) -> Result<Vec<i64>, StoreError> {
    let statement =
        Statement::new("SELECT DISTINCT space FROM audit UNION SELECT DISTINCT space FROM audit_seal");
    tx.sql
        .longs(&statement)
        .map_err(|error| tx.fail("reading the spaces of the audit trail", &error))
}

/// Whether retention removed this block.
fn was_cut(tx: &mut Transaction<'_>, space: i64, block: i64) -> Result<bool, StoreError> {
    let first = seal::behind(tx, space, 0, 1)?.into_iter().next().flatten();
    Ok(first.is_some_and(|first| !first.cut.is_empty() && first.block.number >= block))
}

/// The walk along the chain of a space.
struct Walk {
    keys: Keys,
    heads: std::iter::Peekable<std::vec::IntoIter<Head>>,
    report: SpaceReport,
    /// The block walked last.
    block: i64,
    count: i64,
    hash: Hash,
    /// Rows up to this number have been read.
    frontier: i64,
    /// Rows that were read and that no block has claimed yet.
    loose: BTreeMap<i64, AuditRow>,
    /// Position up to which a head outside the database agrees.
    agreed: i64,
    is_signed: bool,
    is_over: bool,
}

impl Walk {
    fn new(space: i64, keys: Keys, heads: Vec<Head>) -> Walk {
        Walk {
            keys,
            heads: heads.into_iter().peekable(),
            report: SpaceReport {
                space,
                ..SpaceReport::default()
            },
            block: 0,
            count: 0,
            hash: START,
            frontier: i64::MIN,
            loose: BTreeMap::new(),
            agreed: 0,
            is_signed: false,
            is_over: false,
        }
    }

    /// Some blocks more.
    fn step(&mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        let sealed = seal::behind(tx, self.report.space, self.block, BLOCKS_AT_ONCE)?;
        if sealed.is_empty() {
            return self.end(tx);
        }
        for sealed in sealed {
            if let Some(finding) = self.block(tx, sealed)? {
                let finding = self.earlier_stranger(tx, finding)?;
                return self.found(finding);
            }
        }
        Ok(())
    }

    fn found(&mut self, finding: Finding) -> Result<(), StoreError> {
        self.report.finding = Some(finding);
        self.is_over = true;
        Ok(())
    }

    fn block(
        &mut self,
        tx: &mut Transaction<'_>,
        sealed: Option<Sealed>,
    ) -> Result<Option<Finding>, StoreError> {
        let Some(sealed) = sealed else {
            return Ok(Some(self.of_seal("its seal is damaged")));
        };
        if self.block == 0 && !sealed.cut.is_empty() {
            return Ok(self.begin_behind_cut(&sealed));
        }
        let block = &sealed.block;
        let follows = block.number == self.block + 1 && block.before == self.count && sealed.cut.is_empty();
        if !follows {
            let what =
                "is gone, and the rows of its block: the seal before it and the one behind it do not meet";
            return Ok(Some(self.of_seal(what)));
        }
        if block.previous != self.hash {
            return Ok(Some(
                self.of_seal("its block was not sealed behind the row before it"),
            ));
        }
        if let Some(finding) = self.rows(tx, &sealed)? {
            return Ok(Some(finding));
        }
        let is_itself = block.hash == self.hash && block.digest() == sealed.head.digest;
        if !is_itself {
            return Ok(Some(self.of_block(&sealed, "the seal of its block was changed")));
        }
        if let Some(what) = self.signature_fault(&sealed) {
            return Ok(Some(self.of_block(&sealed, what)));
        }
        self.block = block.number;
        self.report.sealed = Some(sealed.head.time);
        Ok(None)
    }

    /// A signature that is there must be good; the last one must be there, and covers what is before it.
    fn signature_fault(&mut self, sealed: &Sealed) -> Option<&'static str> {
        if self.keys.is_empty() {
            self.is_signed = true;
            return None;
        }
        let head = &sealed.head;
        self.is_signed = !head.signature.is_empty();
        if self.is_signed && !head.is_signed_by(&self.keys) {
            return Some("the seal of its block is not signed by a key that was given");
        }
        None
    }

    /// Everything before was removed by retention, as the signed cut says.
    fn begin_behind_cut(&mut self, sealed: &Sealed) -> Option<Finding> {
        if let Some(what) = self.signature_fault(sealed) {
            return Some(self.of_block(sealed, what));
        }
        let head = &sealed.head;
        // Also of a head without a signature: that it has none is what who cut would write.
        if !self.keys.is_empty() && !self.keys.accept_any(&head.cut_message(), &sealed.cut) {
            let what = "is gone with all before it, and no key that was given signed that they were removed";
            return Some(self.of_block(sealed, what));
        }
        self.block = head.block;
        self.count = head.count;
        self.hash = head.hash;
        self.agreed = head.count;
        self.report.cut = u64::try_from(head.count).unwrap_or_default();
        self.report.sealed = Some(head.time);
        while self.heads.next_if(|known| known.count < head.count).is_some() {}
        self.compare_head(None)
    }

    fn rows(&mut self, tx: &mut Transaction<'_>, sealed: &Sealed) -> Result<Option<Finding>, StoreError> {
        let (space, block) = (self.report.space, &sealed.block);
        if block.high > self.frontier {
            let behind = self.frontier.max(i64::MIN + 1);
            let read = row::between(tx, space, (behind, block.high), i64::MAX)?;
            self.loose.extend(read.into_iter().map(|row| (row.number, row)));
            self.frontier = block.high;
        }
        for (number, marked) in block.numbers.iter().zip(block.marks.chunks(MARK_BYTES)) {
            let position = self.count + 1;
            let bad = |what: &str| Finding {
                position: Some(position),
                number: Some(*number),
                what: what.to_owned(),
            };
            let Some(row) = self.loose.remove(number) else {
                return Ok(Some(bad("is gone")));
            };
            let hash = row.link(space, &self.hash);
            if !mark(&hash).eq(marked.iter().copied()) {
                return Ok(Some(bad("was changed, or stands in another row's place")));
            }
            self.hash = hash;
            self.count = position;
            self.report.rows += 1;
            if let Some(finding) = self.compare_head(Some(*number)) {
                return Ok(Some(finding));
            }
        }
        // One writer numbers without gaps: what no seal holds here nobody else will claim.
        let strange = tx.sql.dialect() == Dialect::Sqlite && !self.loose.is_empty();
        Ok(strange.then(|| self.stranger()).flatten())
    }

    /// Compares the heads that speak of the row walked last.
    fn compare_head(&mut self, number: Option<i64>) -> Option<Finding> {
        while let Some(head) = self.heads.next_if(|head| head.count <= self.count) {
            self.report.heads += 1;
            if !self.keys.is_empty() && !head.key_id.is_empty() && !head.is_signed_by(&self.keys) {
                return Some(Finding {
                    position: Some(head.count),
                    number,
                    what: "a head outside the database that names it is not signed by a key that was given"
                        .to_owned(),
                });
            }
            if head.count == self.count && head.hash != self.hash {
                return Some(Finding {
                    position: Some(self.agreed + 1),
                    number: None,
                    what: format!(
                        "or one up to {} was changed and sealed anew: the head outside the database of {} has another hash",
                        head.count,
                        head.time.to_instant()
                    ),
                });
            }
            self.agreed = head.count;
        }
        None
    }

    /// The first row that no block claims.
    fn stranger(&self) -> Option<Finding> {
        let (number, row) = self.loose.first_key_value()?;
        Some(Finding {
            position: None,
            number: Some(*number),
            what: format!(
                "was inserted: no seal holds it (time {}, request {})",
                row.time.to_instant(),
                row.request_id
            ),
        })
    }

    /// A row that was inserted before the one that was found, if there is one.
    fn earlier_stranger(
        &mut self,
        tx: &mut Transaction<'_>,
        finding: Finding,
    ) -> Result<Finding, StoreError> {
        self.forget_claimed(tx)?;
        let stranger = self.stranger();
        let is_earlier = |stranger: &Finding| match (stranger.number, finding.number) {
            (Some(stranger), Some(found)) => stranger < found,
            _ => false,
        };
        Ok(stranger.filter(is_earlier).unwrap_or(finding))
    }

    /// Forgets the loose rows that a block further on holds.
    fn forget_claimed(&mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        let mut block = self.block;
        while !self.loose.is_empty() {
            let sealed = seal::behind(tx, self.report.space, block, BLOCKS_AT_ONCE)?;
            if sealed.is_empty() {
                break;
            }
            for sealed in sealed.into_iter().flatten() {
                block = sealed.block.number.max(block);
                for number in &sealed.block.numbers {
                    self.loose.remove(number);
                }
            }
            block += 1;
        }
        Ok(())
    }

    fn end(&mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        let recent = tx.now().micros() - PENDING_SECONDS * MICROS_PER_SECOND;
        let pending = self.loose.len();
        self.loose.retain(|_, row| row.time.micros() < recent);
        if let Some(stranger) = self.stranger() {
            return self.found(stranger);
        }
        let unsealed = Statement::new("SELECT count(*) FROM audit WHERE space = ")
            .bind(self.report.space)
            .sql(" AND seq > ")
            .bind(self.frontier);
        let unsealed = tx
            .sql
            .longs(&unsealed)
            .map_err(|error| tx.fail("counting what is not sealed", &error))?;
        let unsealed = unsealed.first().copied().unwrap_or_default();
        self.report.unsealed = u64::try_from(unsealed).unwrap_or_default() + pending as u64;
        if let Some(head) = self.heads.by_ref().last() {
            return self.found(Finding {
                position: Some(self.count + 1),
                number: None,
                what: format!(
                    "is gone with all behind it: the trail ends at {}, and a head outside the database says that it had {} \
                     rows at {}",
                    self.count,
                    head.count,
                    head.time.to_instant()
                ),
            });
        }
        if self.block > 0 && !self.is_signed {
            return self.found(Finding {
                position: Some(self.count),
                number: None,
                what: "the seal of its block, the last, is not signed".to_owned(),
            });
        }
        if let Some(finding) = self.left_unsealed(tx, recent)? {
            return self.found(finding);
        }
        self.is_over = true;
        Ok(())
    }

    /// A row behind the last seal that should have one: a running server seals within a second.
    fn left_unsealed(&self, tx: &mut Transaction<'_>, recent: i64) -> Result<Option<Finding>, StoreError> {
        let statement = Statement::new("SELECT seq FROM audit WHERE space = ")
            .bind(self.report.space)
            .sql(" AND seq > ")
            .bind(self.frontier)
            .sql(" AND time < ")
            .bind(recent)
            .sql(" ORDER BY seq LIMIT 1");
        let left = tx
            .sql
            .longs(&statement)
            .map_err(|error| tx.fail("looking for what is not sealed", &error))?;
        Ok(left.first().map(|number| Finding {
            position: None,
            number: Some(*number),
            what: format!(
                "is not sealed, and its time is more than {PENDING_SECONDS} s ago: nothing vouches for it. A server that starts seals \
                 it; if one runs, its log says why it does not"
            ),
        }))
    }

    /// About the row behind the last that fits.
    fn of_seal(&self, what: &str) -> Finding {
        Finding {
            position: Some(self.count + 1),
            number: None,
            what: what.to_owned(),
        }
    }

    /// About the first row of a block.
    fn of_block(&self, sealed: &Sealed, what: &str) -> Finding {
        Finding {
            position: Some(sealed.block.before.saturating_add(1)),
            number: sealed.block.numbers.first().copied(),
            what: what.to_owned(),
        }
    }
}
