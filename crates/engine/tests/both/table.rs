//! The schedules.

use store::pause::{ASKED, BEGUN, CHANGING, COMMITTED, COMMITTING, LOCKED, RAN};

use crate::operation::Body;
use crate::operation::Guard::{Absent, Nothing, Version};
use crate::operation::Operation::{
    self, Add, Delete, DeleteBy, PatchBy, Post, PostUnless, Put, PutBy, Read, Search,
};
use crate::run::{Outcome, Schedule};

/// Every point that a write which changes something comes to.
const EVERYWHERE: &[&str] = &[ASKED, BEGUN, LOCKED, CHANGING, RAN, COMMITTING, COMMITTED];
/// The same for one that is refused.
const REFUSED: &[&str] = &[ASKED, BEGUN, LOCKED, RAN];
/// Before anybody can know of it.
const UNCOMMITTED: &[&str] = &[ASKED, BEGUN, LOCKED, CHANGING, RAN, COMMITTING];

const ONE: Operation = Put("one", Body("Un", "a"), Nothing);
const TWO: Operation = Put("two", Body("Deux", "b"), Nothing);

const fn ends(answers: &'static [&'static str], left: &'static [&'static str]) -> Outcome {
    Outcome { answers, left }
}

#[rustfmt::skip]
pub const SCHEDULES: &[Schedule] = &[
    // Read and write.
    Schedule {
        name: "t4_a_read_beside_an_update_waits_for_nobody_and_sees_the_version_before",
        given: &[ONE],
        first: Put("one", Body("Nouveau", "a"), Nothing),
        held: UNCOMMITTED,
        others: &[Read("one")],
        allowed: &[ends(&["updated 2", "read Un 1"], &["Nouveau 2 [a]"])],
    },
    Schedule {
        name: "t4_a_committed_update_is_read_even_before_its_writer_is_answered",
        given: &[ONE],
        first: Put("one", Body("Nouveau", "a"), Nothing),
        held: &[COMMITTED],
        others: &[Read("one")],
        allowed: &[ends(&["updated 2", "read Nouveau 2"], &["Nouveau 2 [a]"])],
    },
    Schedule {
        name: "t4_a_search_beside_a_create_finds_nothing_of_it_before_the_commit",
        given: &[],
        first: Post(Body("Un", "a")),
        held: UNCOMMITTED,
        others: &[Search("identifier=urn:example:key|a"), Search("family=Un")],
        allowed: &[ends(&["created 1", "found []", "found []"], &["Un 1 [a]"])],
    },
    Schedule {
        name: "t4_a_search_after_the_commit_finds_all_of_a_create",
        given: &[],
        first: Post(Body("Un", "a")),
        held: &[COMMITTED],
        others: &[Search("identifier=urn:example:key|a"), Search("family=Un")],
        allowed: &[ends(&["created 1", "found [Un]", "found [Un]"], &["Un 1 [a]"])],
    },
    Schedule {
        name: "t4_a_read_beside_a_delete_sees_the_resource_until_the_commit",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: UNCOMMITTED,
        others: &[Read("one"), Search("identifier=urn:example:key|a")],
        allowed: &[ends(&["deleted 2", "read Un 1", "found [Un]"], &["one deleted 2"])],
    },
    Schedule {
        name: "t4_a_committed_delete_is_gone_and_found_by_nothing",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: &[COMMITTED],
        others: &[Read("one"), Search("identifier=urn:example:key|a"), Search("family=Un")],
        allowed: &[ends(&["deleted 2", "410 deleted", "found []", "found []"], &["one deleted 2"])],
    },
    // Write and write, by id.
    Schedule {
        name: "t4_two_updates_of_one_resource_both_count",
        given: &[ONE],
        first: Put("one", Body("Premier", "a"), Nothing),
        held: EVERYWHERE,
        others: &[Put("one", Body("Second", "a"), Nothing)],
        allowed: &[
            ends(&["updated 2", "updated 3"], &["Second 3 [a]"]),
            ends(&["updated 3", "updated 2"], &["Premier 3 [a]"]),
        ],
    },
    Schedule {
        name: "t4_two_updates_that_create_one_id_make_one_resource",
        given: &[],
        first: Put("one", Body("Premier", "a"), Nothing),
        held: EVERYWHERE,
        others: &[Put("one", Body("Second", "a"), Nothing)],
        allowed: &[
            ends(&["created 1", "updated 2"], &["Second 2 [a]"]),
            ends(&["updated 2", "created 1"], &["Premier 2 [a]"]),
        ],
    },
    Schedule {
        name: "t4_of_two_creations_with_if_none_match_one_passes",
        given: &[],
        first: Put("one", Body("Premier", "a"), Absent),
        held: EVERYWHERE,
        others: &[Put("one", Body("Second", "b"), Absent)],
        allowed: &[
            ends(&["created 1", "412 conflict"], &["Premier 1 [a]"]),
            ends(&["412 conflict", "created 1"], &["Second 1 [b]"]),
        ],
    },
    Schedule {
        name: "t4_of_two_updates_with_the_same_if_match_one_passes",
        given: &[ONE],
        first: Put("one", Body("Premier", "a"), Version(1)),
        held: EVERYWHERE,
        others: &[Put("one", Body("Second", "a"), Version(1))],
        allowed: &[
            ends(&["updated 2", "412 conflict"], &["Premier 2 [a]"]),
            ends(&["412 conflict", "updated 2"], &["Second 2 [a]"]),
        ],
    },
    Schedule {
        name: "t4_an_update_with_if_match_never_hides_an_update_without",
        given: &[ONE],
        first: Put("one", Body("Premier", "a"), Version(1)),
        held: EVERYWHERE,
        others: &[Put("one", Body("Second", "a"), Nothing)],
        allowed: &[
            ends(&["updated 2", "updated 3"], &["Second 3 [a]"]),
            ends(&["412 conflict", "updated 2"], &["Second 2 [a]"]),
        ],
    },
    Schedule {
        name: "t4_two_edits_of_one_resource_both_survive",
        given: &[ONE],
        first: Add("one", "c"),
        held: EVERYWHERE,
        others: &[Add("one", "d")],
        allowed: &[
            ends(&["updated 2", "updated 3"], &["Un 3 [a c d]"]),
            ends(&["updated 3", "updated 2"], &["Un 3 [a c d]"]),
        ],
    },
    // A conditional patch and others.
    Schedule {
        name: "t4_two_conditional_patches_of_one_match_both_survive",
        given: &[ONE],
        first: PatchBy("identifier=urn:example:key|a", "c"),
        held: EVERYWHERE,
        others: &[PatchBy("identifier=urn:example:key|a", "d")],
        allowed: &[
            ends(&["updated 2", "updated 3"], &["Un 3 [a c d]"]),
            ends(&["updated 3", "updated 2"], &["Un 3 [a c d]"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_patch_beside_an_update_that_takes_its_match_away_comes_before_or_finds_nothing",
        given: &[ONE],
        first: Put("one", Body("Nouveau", "b"), Nothing),
        held: EVERYWHERE,
        others: &[PatchBy("identifier=urn:example:key|a", "c")],
        allowed: &[
            ends(&["updated 2", "404 not-found"], &["Nouveau 2 [b]"]),
            ends(&["updated 3", "updated 2"], &["Nouveau 3 [b]"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_patch_beside_an_update_of_its_match_is_applied_to_that_or_replaced_by_it",
        given: &[ONE],
        first: PatchBy("identifier=urn:example:key|a", "c"),
        held: EVERYWHERE,
        others: &[Put("one", Body("Nouveau", "a"), Nothing)],
        allowed: &[
            ends(&["updated 2", "updated 3"], &["Nouveau 3 [a]"]),
            ends(&["updated 3", "updated 2"], &["Nouveau 3 [a c]"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_patch_beside_a_delete_comes_before_or_finds_nothing",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: EVERYWHERE,
        others: &[PatchBy("identifier=urn:example:key|a", "c")],
        allowed: &[
            ends(&["deleted 2", "404 not-found"], &["one deleted 2"]),
            ends(&["deleted 3", "updated 2"], &["one deleted 3"]),
        ],
    },
    Schedule {
        name: "t4_two_conditional_patches_that_claim_one_key_make_one_owner",
        given: &[ONE, TWO],
        first: PatchBy("identifier=urn:example:key|a", "k"),
        held: EVERYWHERE,
        others: &[PatchBy("identifier=urn:example:key|b", "k")],
        allowed: &[
            ends(&["updated 2", "409 duplicate"], &["Un 2 [a k]", "Deux 1 [b]"]),
            ends(&["409 duplicate", "updated 2"], &["Un 1 [a]", "Deux 2 [b k]"]),
        ],
    },
    // Delete and others.
    Schedule {
        name: "t4_an_update_beside_a_delete_revives_it_or_is_deleted",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: EVERYWHERE,
        others: &[Put("one", Body("Nouveau", "a"), Nothing)],
        allowed: &[
            ends(&["deleted 2", "created 3"], &["Nouveau 3 [a]"]),
            ends(&["deleted 3", "updated 2"], &["one deleted 3"]),
        ],
    },
    Schedule {
        name: "t4_a_delete_with_if_match_never_deletes_what_it_has_not_seen",
        given: &[ONE],
        first: Put("one", Body("Nouveau", "a"), Nothing),
        held: EVERYWHERE,
        others: &[Delete("one", Version(1))],
        allowed: &[
            ends(&["updated 2", "412 conflict"], &["Nouveau 2 [a]"]),
            ends(&["created 3", "deleted 2"], &["Nouveau 3 [a]"]),
        ],
    },
    Schedule {
        name: "t4_of_two_deletes_one_makes_a_version",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: EVERYWHERE,
        others: &[Delete("one", Nothing)],
        allowed: &[
            ends(&["deleted 2", "nothing to delete"], &["one deleted 2"]),
            ends(&["nothing to delete", "deleted 2"], &["one deleted 2"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_update_beside_a_delete_finds_the_resource_or_makes_another",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: EVERYWHERE,
        others: &[PutBy("a", Body("Nouveau", "a"))],
        allowed: &[
            ends(&["deleted 2", "created 1"], &["one deleted 2", "Nouveau 1 [a]"]),
            ends(&["deleted 3", "updated 2"], &["one deleted 3"]),
        ],
    },
    Schedule {
        name: "t4_a_delete_with_if_match_beside_a_conditional_update_deletes_what_it_saw_or_nothing",
        given: &[ONE],
        first: PutBy("a", Body("Nouveau", "a")),
        held: EVERYWHERE,
        others: &[Delete("one", Version(1))],
        allowed: &[
            ends(&["updated 2", "412 conflict"], &["Nouveau 2 [a]"]),
            ends(&["created 1", "deleted 2"], &["one deleted 2", "Nouveau 1 [a]"]),
        ],
    },
    Schedule {
        name: "t4_of_two_conditional_deletes_one_makes_a_version",
        given: &[ONE],
        first: DeleteBy("a"),
        held: EVERYWHERE,
        others: &[DeleteBy("a")],
        allowed: &[
            ends(&["deleted 2", "nothing to delete"], &["one deleted 2"]),
            ends(&["nothing to delete", "deleted 2"], &["one deleted 2"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_delete_beside_a_conditional_update_deletes_before_or_after_it",
        given: &[ONE],
        first: PutBy("a", Body("Nouveau", "a")),
        held: EVERYWHERE,
        others: &[DeleteBy("a")],
        allowed: &[
            ends(&["updated 2", "deleted 3"], &["one deleted 3"]),
            ends(&["created 1", "deleted 2"], &["one deleted 2", "Nouveau 1 [a]"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_delete_beside_a_conditional_create_leaves_it_or_finds_it",
        given: &[],
        first: PostUnless("identifier=urn:example:local|local-a", Body("Premier", "local-a")),
        held: EVERYWHERE,
        others: &[DeleteBy("local-a")],
        allowed: &[
            ends(&["created 1", "nothing to delete"], &["Premier 1 [local-a]"]),
            ends(&["created 1", "deleted 2"], &[]),
        ],
    },
    Schedule {
        name: "t4_a_match_that_loses_the_identifier_meanwhile_is_not_deleted_by_it",
        given: &[ONE],
        first: Put("one", Body("Nouveau", "b"), Nothing),
        held: EVERYWHERE,
        others: &[DeleteBy("a")],
        allowed: &[
            ends(&["updated 2", "nothing to delete"], &["Nouveau 2 [b]"]),
            ends(&["created 3", "deleted 2"], &["Nouveau 3 [b]"]),
        ],
    },
    // Conditional writes, by keys and by identifiers that nobody owns.
    Schedule {
        name: "t4_two_conditional_creates_make_one_resource",
        given: &[],
        first: PostUnless("identifier=urn:example:local|local-a", Body("Premier", "local-a")),
        held: EVERYWHERE,
        others: &[PostUnless("identifier=urn:example:local|local-a", Body("Second", "local-a"))],
        allowed: &[
            ends(&["created 1", "found 1"], &["Premier 1 [local-a]"]),
            ends(&["found 1", "created 1"], &["Second 1 [local-a]"]),
        ],
    },
    Schedule {
        name: "t4_two_conditional_creates_by_a_name_make_one_resource",
        given: &[],
        first: PostUnless("family=Premier", Body("Premier", "a")),
        held: EVERYWHERE,
        others: &[PostUnless("family=Premier", Body("Premier", "b"))],
        allowed: &[
            ends(&["created 1", "found 1"], &["Premier 1 [a]"]),
            ends(&["found 1", "created 1"], &["Premier 1 [b]"]),
        ],
    },
    Schedule {
        name: "t4_two_conditional_updates_by_one_identifier_make_one_resource",
        given: &[],
        first: PutBy("local-a", Body("Premier", "local-a")),
        held: EVERYWHERE,
        others: &[PutBy("local-a", Body("Second", "local-a"))],
        allowed: &[
            ends(&["created 1", "updated 2"], &["Second 2 [local-a]"]),
            ends(&["updated 2", "created 1"], &["Premier 2 [local-a]"]),
        ],
    },
    Schedule {
        name: "t4_two_conditional_updates_by_crossed_identifiers_make_one_resource",
        given: &[],
        first: PutBy("local-a", Body("Premier", "local-a local-b")),
        held: EVERYWHERE,
        others: &[PutBy("local-b", Body("Second", "local-b local-a"))],
        allowed: &[
            ends(&["created 1", "updated 2"], &["Second 2 [local-a local-b]"]),
            ends(&["updated 2", "created 1"], &["Premier 2 [local-a local-b]"]),
        ],
    },
    Schedule {
        name: "t4_a_conditional_update_beside_a_conditional_create_makes_one_resource",
        given: &[],
        first: PutBy("a", Body("Premier", "a")),
        held: EVERYWHERE,
        others: &[PostUnless("identifier=urn:example:key|a", Body("Second", "a"))],
        allowed: &[
            ends(&["created 1", "found 1"], &["Premier 1 [a]"]),
            ends(&["updated 2", "created 1"], &["Premier 2 [a]"]),
        ],
    },
    Schedule {
        name: "t4_a_match_that_loses_the_identifier_meanwhile_is_not_updated_by_it",
        given: &[ONE],
        first: Put("one", Body("Nouveau", "b"), Nothing),
        held: EVERYWHERE,
        others: &[PutBy("a", Body("Second", "a"))],
        allowed: &[
            ends(&["updated 2", "created 1"], &["Nouveau 2 [b]", "Second 1 [a]"]),
            ends(&["updated 3", "updated 2"], &["Nouveau 3 [b]"]),
        ],
    },
    // Keys.
    Schedule {
        name: "t4_of_two_creates_that_claim_one_key_one_is_refused",
        given: &[],
        first: Post(Body("Premier", "a")),
        held: EVERYWHERE,
        others: &[Post(Body("Second", "a"))],
        allowed: &[
            ends(&["created 1", "409 duplicate"], &["Premier 1 [a]"]),
            ends(&["409 duplicate", "created 1"], &["Second 1 [a]"]),
        ],
    },
    Schedule {
        name: "t4_an_update_and_a_create_that_claim_one_key_never_both_get_it",
        given: &[TWO],
        first: Put("two", Body("Deux", "a b"), Nothing),
        held: EVERYWHERE,
        others: &[Post(Body("Second", "a"))],
        allowed: &[
            ends(&["updated 2", "409 duplicate"], &["Deux 2 [a b]"]),
            ends(&["409 duplicate", "created 1"], &["Deux 1 [b]", "Second 1 [a]"]),
        ],
    },
    Schedule {
        name: "t4_a_key_that_an_update_drops_is_claimed_after_it_or_refused",
        given: &[ONE],
        first: Put("one", Body("Un", "b"), Nothing),
        held: EVERYWHERE,
        others: &[Post(Body("Second", "a"))],
        allowed: &[
            ends(&["updated 2", "created 1"], &["Un 2 [b]", "Second 1 [a]"]),
            ends(&["updated 2", "409 duplicate"], &["Un 2 [b]"]),
        ],
    },
    Schedule {
        name: "t4_a_key_that_a_delete_frees_is_claimed_after_it_or_refused",
        given: &[ONE],
        first: Delete("one", Nothing),
        held: EVERYWHERE,
        others: &[Post(Body("Second", "a"))],
        allowed: &[
            ends(&["deleted 2", "created 1"], &["one deleted 2", "Second 1 [a]"]),
            ends(&["deleted 2", "409 duplicate"], &["one deleted 2"]),
        ],
    },
    Schedule {
        name: "t4_two_resources_that_swap_their_keys_are_both_refused",
        given: &[ONE, TWO],
        first: Put("one", Body("Un", "b"), Nothing),
        held: REFUSED,
        others: &[Put("two", Body("Deux", "a"), Nothing)],
        allowed: &[ends(&["409 duplicate", "409 duplicate"], &["Un 1 [a]", "Deux 1 [b]"])],
    },
    Schedule {
        name: "t4_a_revival_and_a_create_that_claim_one_key_never_both_get_it",
        given: &[ONE, Delete("one", Nothing)],
        first: Put("one", Body("Nouveau", "a"), Nothing),
        held: EVERYWHERE,
        others: &[Post(Body("Second", "a"))],
        allowed: &[
            ends(&["created 3", "409 duplicate"], &["Nouveau 3 [a]"]),
            ends(&["409 duplicate", "created 1"], &["one deleted 2", "Second 1 [a]"]),
        ],
    },
    Schedule {
        name: "t4_a_revival_beside_a_conditional_update_leaves_one_owner",
        given: &[ONE, Delete("one", Nothing)],
        first: PutBy("a", Body("Premier", "a")),
        held: EVERYWHERE,
        others: &[Put("one", Body("Second", "a"), Nothing)],
        allowed: &[
            ends(&["created 1", "409 duplicate"], &["one deleted 2", "Premier 1 [a]"]),
            ends(&["updated 4", "created 3"], &["Premier 4 [a]"]),
        ],
    },
    // Groups.
    Schedule {
        name: "t4_a_refused_write_harms_no_neighbour_in_its_group",
        given: &[ONE, TWO],
        first: Post(Body("Premier", "c")),
        held: EVERYWHERE,
        others: &[
            Put("two", Body("Nouveau", "b"), Version(1)),
            Post(Body("Second", "a")),
            Put("one", Body("Second", "a"), Version(7)),
            Post(Body("Cinquième", "d")),
            PutBy("d", Body("Sixième", "d")),
        ],
        allowed: &[ends(
            &["created 1", "updated 2", "409 duplicate", "412 conflict", "created 1", "updated 2"],
            &["Premier 1 [c]", "Nouveau 2 [b]", "Un 1 [a]", "Sixième 2 [d]"],
        )],
    },
    Schedule {
        name: "t4_writes_of_one_group_see_those_before_them",
        given: &[],
        first: Post(Body("Premier", "c")),
        held: EVERYWHERE,
        others: &[
            PutBy("a", Body("Second", "a")),
            PutBy("a", Body("Nouveau", "a")),
            Put("one", Body("Un", "b"), Nothing),
            Delete("one", Version(1)),
            Post(Body("Deux", "b")),
        ],
        allowed: &[ends(
            &["created 1", "created 1", "updated 2", "created 1", "deleted 2", "created 1"],
            &["Premier 1 [c]", "Nouveau 2 [a]", "one deleted 2", "Deux 1 [b]"],
        )],
    },
];
