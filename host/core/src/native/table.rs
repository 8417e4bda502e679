//! Route tables of built-in mounts.

use cofferdam_model::route::{Field, FieldKind, Pattern, Route};
use cofferdam_model::{Operation, Response, Result};
use futures::future::BoxFuture;

use super::Ctx;

/// Answers one verb of one route.
pub(crate) type Handler = for<'a> fn(Ctx<'a>) -> BoxFuture<'a, Result<Response>>;

/// When a route asks for `sudo` on top of the verb.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sudo {
    Never,
    Always,
    /// Only below the folder, not for the folder itself.
    Below,
}

/// One route with its handlers.
pub(crate) struct NativeRoute {
    pub(crate) route: Route,
    pub(crate) unauthenticated: bool,
    sudo: Sudo,
    handlers: Vec<(Operation, Handler)>,
}

impl NativeRoute {
    pub(crate) fn handler(&self, operation: Operation) -> Option<Handler> {
        self.handlers.iter().find(|(o, _)| *o == operation).map(|(_, h)| *h)
    }

    pub(crate) fn needs_sudo(&self, _operation: Operation, rest: &str) -> bool {
        match self.sudo {
            Sudo::Never => false,
            Sudo::Always => true,
            Sudo::Below => rest.trim_end_matches('/').contains('/'),
        }
    }
}

/// The first route that matches the path below the mount.
pub(crate) fn find<'a>(routes: &'a [NativeRoute], rest: &str) -> Option<(&'a NativeRoute, Vec<(String, String)>)> {
    routes.iter().find_map(|r| r.route.pattern.matches(rest).map(|params| (r, params)))
}

/// Builds a table, one call a route.
#[derive(Default)]
pub(crate) struct Routes(Vec<NativeRoute>);

impl Routes {
    /// Begins a route; what follows belongs to it.
    #[expect(clippy::panic, reason = "the templates are constants; a bad one shows in every test")]
    pub(crate) fn route(mut self, pattern: &str, synopsis: &str) -> Self {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|e| panic!("route template: {e}"));
        let route = Route {
            pattern,
            operations: Vec::new(),
            open_fields: false,
            upsert: false,
            backend: None,
            fields: Vec::new(),
            synopsis: synopsis.to_owned(),
            help: String::new(),
        };
        self.0.push(NativeRoute { route, unauthenticated: false, sudo: Sudo::Never, handlers: Vec::new() });
        self
    }

    fn last(mut self, change: impl FnOnce(&mut NativeRoute)) -> Self {
        if let Some(route) = self.0.last_mut() {
            change(route);
        }
        self
    }

    fn on(self, operation: Operation, handler: Handler) -> Self {
        self.last(|r| {
            r.route.operations.push(operation);
            r.handlers.push((operation, handler));
        })
    }

    pub(crate) fn read(self, handler: Handler) -> Self {
        self.on(Operation::Read, handler)
    }

    pub(crate) fn write(self, handler: Handler) -> Self {
        self.on(Operation::Update, handler)
    }

    pub(crate) fn delete(self, handler: Handler) -> Self {
        self.on(Operation::Delete, handler)
    }

    pub(crate) fn list(self, handler: Handler) -> Self {
        self.on(Operation::List, handler)
    }

    pub(crate) fn sudo(self) -> Self {
        self.last(|r| r.sudo = Sudo::Always)
    }

    pub(crate) fn sudo_below(self) -> Self {
        self.last(|r| r.sudo = Sudo::Below)
    }

    pub(crate) fn open(self) -> Self {
        self.last(|r| r.unauthenticated = true)
    }

    pub(crate) fn open_fields(self) -> Self {
        self.last(|r| r.route.open_fields = true)
    }

    pub(crate) fn field(self, name: &str, kind: FieldKind, help: &str) -> Self {
        self.fields(&[(name, kind, help)])
    }

    pub(crate) fn fields(self, fields: &[(&str, FieldKind, &str)]) -> Self {
        self.last(|r| {
            r.route.fields.extend(fields.iter().map(|(name, kind, help)| Field {
                name: (*name).to_owned(),
                kind: *kind,
                required: false,
                sensitive: false,
                help: (*help).to_owned(),
            }));
        })
    }

    pub(crate) fn done(self) -> Vec<NativeRoute> {
        self.0
    }
}
