//! Every limit on input, with its unit, on one page. Each is tested on both sides.

/// One kibibyte in bytes.
pub const KIB: usize = 1024;
/// One mebibyte in bytes.
pub const MIB: usize = 1024 * KIB;

/// Largest body of one resource, in bytes, counted after inflation.
pub const MAX_BODY_BYTES: usize = 2 * MIB;
/// Largest Bundle to be processed, in bytes, counted after inflation.
pub const MAX_BUNDLE_BYTES: usize = 16 * MIB;
/// Most entries of a Bundle to be processed.
pub const MAX_BUNDLE_ENTRIES: usize = 1000;
/// Deepest nesting of elements in a resource, in levels, the same in JSON and XML.
pub const MAX_DEPTH: usize = 64;
/// Most attributes on one XML start tag.
pub const MAX_XML_ATTRIBUTES: usize = 32;
/// Longest query string of a request, in bytes.
pub const MAX_QUERY_BYTES: usize = 16 * KIB;
/// Most parameters in one query string.
pub const MAX_QUERY_PARAMETERS: usize = 64;
/// Most comma-separated alternatives in one search parameter.
pub const MAX_ALTERNATIVES: usize = 200;
/// Longest beginning of a string (folded), code, system or URL that an index row holds as it is, in
/// characters: a row must fit into a page of a database index. See `query::param::bounded`.
pub const MAX_INDEXED_CHARS: usize = 256;
/// Page size of a search when `_count` is absent, in resources.
pub const DEFAULT_COUNT: u32 = 20;
/// Largest page size of a search, in resources; a larger `_count` is lowered to it.
pub const MAX_COUNT: u32 = 1000;
/// Most issues reported in one OperationOutcome: a hostile body must not buy a huge answer.
pub const MAX_ISSUES: usize = 100;
/// Most references that a chain or `_has` follows, one after the other.
pub const MAX_CHAIN_STEPS: usize = 3;
/// Most keys of a `_sort`.
pub const MAX_SORT_KEYS: usize = 4;
/// Most resources that a page of a search shows beside its matches.
pub const MAX_INCLUDED: usize = 1000;
/// Most operations in one patch document.
pub const MAX_PATCH_OPERATIONS: usize = 1000;
/// Longest path in a patch document, in characters.
pub const MAX_PATCH_PATH_CHARS: usize = 1024;
/// Deepest nesting of conditions in a FHIRPath of a patch, in brackets.
pub const MAX_PATCH_PATH_DEPTH: usize = 8;
/// Deepest nesting of a patch document and of what it makes on its way, in lists and objects: each level of
/// elements may be an item of a list, and operations stand around it.
pub const MAX_PATCH_NESTING: usize = 2 * MAX_DEPTH + 8;
/// Most work that the operations of one patch may cause, in values looked at, copied or moved.
pub const MAX_PATCH_WORK: usize = 1_000_000;
