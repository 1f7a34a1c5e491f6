//! The schedules of transactions.

use store::pause::{ASKED, BEGUN, CHANGING, LOCKED};

use crate::operation::Body;
use crate::operation::Guard::{Nothing, Version};
use crate::operation::Operation::{All, Delete, Post, PostUnless, Put, PutBy, Search};
use crate::run::Schedule;
use crate::table::{EVERYWHERE, ONE, TWO, UNCOMMITTED, ends};

const BY_A: &str = "identifier=urn:example:key|a";
const BY_B: &str = "identifier=urn:example:key|b";

#[rustfmt::skip]
pub const SCHEDULES: &[Schedule] = &[
    Schedule {
        name: "t4_nothing_of_a_transaction_is_found_before_its_commit",
        given: &[],
        first: All(&[Post(Body("Un", "a")), Post(Body("Deux", "b"))]),
        held: UNCOMMITTED,
        others: &[Search(BY_A), Search(BY_B)],
        allowed: &[ends(&["created 1, created 1", "found []", "found []"], &["Un 1 [a]", "Deux 1 [b]"])],
    },
    Schedule {
        name: "p18_a_match_that_moves_before_a_transaction_is_resolved_anew",
        given: &[ONE],
        first: All(&[PutBy("a", Body("Premier", "a")), Post(Body("Tiers", "c"))]),
        held: EVERYWHERE,
        others: &[Put("one", Body("Un", "b"), Nothing)],
        allowed: &[
            ends(&["updated 2, created 1", "updated 3"], &["Un 3 [b]", "Tiers 1 [c]"]),
            ends(&["created 1, created 1", "updated 2"], &["Un 2 [b]", "Premier 1 [a]", "Tiers 1 [c]"]),
        ],
    },
    Schedule {
        name: "p18_a_match_that_is_deleted_before_a_transaction_is_created_again",
        given: &[ONE],
        first: All(&[PostUnless(BY_A, Body("Premier", "a")), Post(Body("Tiers", "c"))]),
        held: EVERYWHERE,
        others: &[Delete("one", Nothing)],
        allowed: &[
            ends(&["found 1, created 1", "deleted 2"], &["one deleted 2", "Tiers 1 [c]"]),
            ends(&["created 1, created 1", "deleted 2"], &["one deleted 2", "Premier 1 [a]", "Tiers 1 [c]"]),
        ],
    },
    Schedule {
        name: "p03_identical_transactions_leave_one_set",
        given: &[],
        first: All(&[PostUnless(BY_A, Body("Un", "a")), PutBy("b", Body("Deux", "b"))]),
        held: EVERYWHERE,
        others: &[
            All(&[PostUnless(BY_A, Body("Un", "a")), PutBy("b", Body("Deux", "b"))]),
            All(&[PutBy("b", Body("Deux", "b")), PostUnless(BY_A, Body("Un", "a"))]),
        ],
        allowed: &[
            ends(&["created 1, created 1", "found 1, unchanged 1", "unchanged 1, found 1"], &["Un 1 [a]", "Deux 1 [b]"]),
            ends(&["found 1, unchanged 1", "created 1, created 1", "unchanged 1, found 1"], &["Un 1 [a]", "Deux 1 [b]"]),
        ],
    },
    Schedule {
        name: "t4_transactions_in_opposite_order_come_one_after_the_other",
        given: &[ONE, TWO],
        first: All(&[Put("one", Body("Premier", "a"), Nothing), PutBy("b", Body("Premier", "b"))]),
        held: EVERYWHERE,
        others: &[All(&[PutBy("b", Body("Second", "b")), Put("one", Body("Second", "a"), Nothing)])],
        allowed: &[
            ends(&["updated 2, updated 2", "updated 3, updated 3"], &["Second 3 [a]", "Second 3 [b]"]),
            ends(&["updated 3, updated 3", "updated 2, updated 2"], &["Premier 3 [a]", "Premier 3 [b]"]),
        ],
    },
    Schedule {
        name: "t4_a_transaction_that_fails_late_leaves_nothing_and_harms_no_neighbour",
        given: &[ONE],
        first: Post(Body("Premier", "c")),
        held: EVERYWHERE,
        others: &[
            All(&[Post(Body("Second", "d")), Put("one", Body("Nouveau", "a"), Version(7))]),
            PutBy("d", Body("Tiers", "d")),
            All(&[Delete("one", Nothing), Post(Body("Un", "c"))]),
        ],
        allowed: &[
            ends(
                &["created 1", "412 conflict", "created 1", "409 duplicate"],
                &["Un 1 [a]", "Premier 1 [c]", "Tiers 1 [d]"],
            ),
            // Before anything of the first is locked, the last may overtake it.
            ends(
                &["409 duplicate", "412 conflict", "created 1", "deleted 2, created 1"],
                &["one deleted 2", "Un 1 [c]", "Tiers 1 [d]"],
            ),
        ],
    },
    Schedule {
        name: "t4_a_transaction_that_is_refused_frees_what_it_held",
        given: &[ONE],
        first: All(&[Post(Body("Premier", "b")), Put("one", Body("Premier", "a"), Version(7))]),
        held: &[ASKED, BEGUN, LOCKED, CHANGING],
        others: &[PutBy("b", Body("Second", "b"))],
        allowed: &[
            ends(&["412 conflict", "created 1"], &["Un 1 [a]", "Second 1 [b]"]),
            ends(&["409 duplicate", "created 1"], &["Un 1 [a]", "Second 1 [b]"]),
        ],
    },
    Schedule {
        name: "t4_a_key_moves_from_one_resource_to_another_within_a_transaction",
        given: &[ONE],
        first: All(&[Post(Body("Nouveau", "a")), Delete("one", Nothing)]),
        held: EVERYWHERE,
        others: &[PutBy("a", Body("Second", "a"))],
        allowed: &[
            ends(&["created 1, deleted 2", "updated 2"], &["one deleted 2", "Second 2 [a]"]),
            ends(&["created 1, deleted 3", "updated 2"], &["one deleted 3", "Nouveau 1 [a]"]),
        ],
    },
];
