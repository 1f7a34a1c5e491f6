//! What a profile is compiled to: a tree of rules, one node for each element that it speaks of.

use serde_json::Value;

use super::invariant::Constraint;
use super::terminology::Strength;
use crate::validate::table::{ComplexType, Type};

/// The rules of one element, and of those below it.
#[derive(Default)]
pub(super) struct Node {
    pub(super) rules: Rules,
    pub(super) children: Vec<Child>,
    /// What the element is in base R4, where that is one complex type.
    pub(super) table: Option<&'static ComplexType>,
}

/// What holds for each value of an element.
#[derive(Default)]
pub(super) struct Rules {
    /// The types it may have, when the profile narrows them.
    pub(super) types: Option<Vec<TypeRule>>,
    pub(super) fixed: Option<Value>,
    pub(super) pattern: Option<Value>,
    pub(super) binding: Option<Binding>,
    pub(super) max_length: Option<usize>,
    pub(super) min_value: Option<Value>,
    pub(super) max_value: Option<Value>,
    pub(super) constraints: Vec<Constraint>,
}

/// One type of an element.
pub(super) struct TypeRule {
    /// FHIR's name of the type.
    pub(super) code: String,
    /// Profiles of that type, of which a value meets one.
    pub(super) profiles: Vec<String>,
    /// The profiles of what a Reference points to; empty: anything.
    pub(super) targets: Vec<String>,
}

/// A bound value set.
pub(super) struct Binding {
    pub(super) strength: Strength,
    pub(super) set: String,
}

/// An element below a node.
pub(super) struct Child {
    /// As the profile writes it, without `[x]`: `value`, or `valueCode` for values of that type alone.
    pub(super) name: String,
    /// As base R4 calls it: `value`.
    pub(super) element: &'static str,
    /// The JSON properties that hold it.
    pub(super) properties: Vec<Property>,
    /// How often it occurs, where the profile says more than base R4.
    pub(super) occurs: Occurs,
    pub(super) node: Node,
    pub(super) slicing: Option<Slicing>,
    /// What base R4 says of how often it occurs, which base validation sees to.
    pub(super) base: Occurs,
    /// Whether its values are of several types.
    pub(super) choice: bool,
}

/// A JSON property of an element.
pub(super) struct Property {
    pub(super) name: String,
    /// That of a primitive's id and extensions.
    pub(super) sibling: String,
    pub(super) kind: Type,
}

/// How often something may occur.
#[derive(Clone, Copy, Default)]
pub(super) struct Occurs {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

/// The slices of an element.
#[derive(Default)]
pub(super) struct Slicing {
    pub(super) discriminators: Vec<Discriminator>,
    pub(super) rules: SlicingRules,
    pub(super) slices: Vec<Slice>,
}

/// What may stand beside the slices.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SlicingRules {
    /// Anything.
    #[default]
    Open,
    /// Nothing.
    Closed,
    /// Anything, behind all that belongs to slices.
    OpenAtEnd,
}

/// By what slices are told apart.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Discriminator {
    pub(super) kind: DiscriminatorKind,
    /// The way from the element, `$this` being the empty one.
    pub(super) path: Vec<Step>,
}

/// A step of a discriminator's path.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Step {
    Element(String),
    Extension(String),
}

/// How a discriminator looks at what it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DiscriminatorKind {
    /// By fixed values, patterns and required bindings. (`pattern` is an older word for the same.)
    Value,
    Exists,
    Type,
    Profile,
}

/// One slice.
pub(super) struct Slice {
    pub(super) name: String,
    pub(super) occurs: Occurs,
    pub(super) node: Node,
    /// What makes an item one of this slice: all of these.
    pub(super) tests: Vec<Test>,
}

/// A condition on an item: what lies at the path.
pub(super) struct Test {
    pub(super) path: Vec<Step>,
    pub(super) wanted: Wanted,
}

/// What a test wants to find.
pub(super) enum Wanted {
    /// A value equal to this.
    Fixed(Value),
    /// A value that holds this.
    Pattern(Value),
    /// A code of this value set.
    In(String),
    /// Anything (`true`) or nothing (`false`).
    Presence(bool),
    /// A value of one of these types.
    Type(Vec<String>),
    /// An extension of one of these definitions.
    Url(Vec<String>),
}

impl Node {
    /// The child of this name, made when it is not there.
    pub(super) fn child_mut(&mut self, name: &str, make: impl FnOnce() -> Child) -> Option<&mut Child> {
        let position = self.children.iter().position(|child| child.name == name);
        let position = position.unwrap_or_else(|| {
            self.children.push(make());
            self.children.len() - 1
        });
        self.children.get_mut(position)
    }

    pub(super) fn child(&self, name: &str) -> Option<&Child> {
        self.children.iter().find(|child| child.name == name)
    }
}
