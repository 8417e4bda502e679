//! Route tables.

use crate::types::{Field, FieldTraits, Kind, Operation, Route, Traits};

/// Begins a route: literal segments, `{name}`, and last `{name*}`.
pub fn route(pattern: impl Into<String>) -> RouteBuilder {
    RouteBuilder(Route {
        pattern: pattern.into(),
        operations: Vec::new(),
        traits: Traits::empty(),
        backend: None,
        fields: Vec::new(),
        synopsis: String::new(),
        help: String::new(),
    })
}

/// A route in the making.
#[derive(Debug, Clone)]
#[must_use]
pub struct RouteBuilder(Route);

impl RouteBuilder {
    fn operation(mut self, operation: Operation) -> Self {
        if !self.0.operations.contains(&operation) {
            self.0.operations.push(operation);
        }
        self
    }

    /// Serves GET.
    pub fn read(self) -> Self {
        self.operation(Operation::Read)
    }

    /// Serves POST and PUT as updates.
    pub fn write(self) -> Self {
        self.operation(Operation::Update)
    }

    /// Serves POST and PUT as create or update, as `Engine::exists` says.
    pub fn upsert(mut self) -> Self {
        self.0.traits |= Traits::UPSERT;
        self.operation(Operation::Create).operation(Operation::Update)
    }

    /// Serves PATCH.
    pub fn patch(self) -> Self {
        self.operation(Operation::Patch)
    }

    /// Serves DELETE.
    pub fn delete(self) -> Self {
        self.operation(Operation::Delete)
    }

    /// Serves LIST.
    pub fn list(self) -> Self {
        self.operation(Operation::List)
    }

    /// Lets unknown fields reach the engine.
    pub fn open_fields(mut self) -> Self {
        self.0.traits |= Traits::OPEN_FIELDS;
        self
    }

    /// The backend that the route's calls get: literal text or `{param}`.
    pub fn backend(mut self, backend: impl Into<String>) -> Self {
        self.0.backend = Some(backend.into());
        self
    }

    fn add(mut self, name: &str, kind: Kind, traits: FieldTraits, help: &str) -> Self {
        self.0.fields.push(Field { name: name.to_owned(), kind, traits, help: help.to_owned() });
        self
    }

    /// A field that may be sent.
    pub fn field(self, name: &str, kind: Kind, help: &str) -> Self {
        self.add(name, kind, FieldTraits::empty(), help)
    }

    /// A field that must be sent.
    pub fn required(self, name: &str, kind: Kind, help: &str) -> Self {
        self.add(name, kind, FieldTraits::REQUIRED, help)
    }

    /// A field that may be sent and is never shown.
    pub fn sensitive(self, name: &str, kind: Kind, help: &str) -> Self {
        self.add(name, kind, FieldTraits::SENSITIVE, help)
    }

    /// A field with these traits.
    pub fn field_with(self, name: &str, kind: Kind, traits: FieldTraits, help: &str) -> Self {
        self.add(name, kind, traits, help)
    }

    /// One line of help.
    pub fn synopsis(mut self, synopsis: impl Into<String>) -> Self {
        self.0.synopsis = synopsis.into();
        self
    }

    /// The whole help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = help.into();
        self
    }
}

impl From<RouteBuilder> for Route {
    fn from(builder: RouteBuilder) -> Self {
        builder.0
    }
}
