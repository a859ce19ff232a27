//! State that a worker lends to its tasks, found by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::context::{Context, FromContext};
use super::run::Failure;

/// Shared state of the worker, injected into a task.
///
/// The worker is given the value once (`App::data`, or the worker's builder); every task that
/// asks for `#[inject] db: Data<Db>` or `db: &Data<Db>` gets the same one. A worker that lacks it
/// refuses to start.
pub struct Data<T: ?Sized>(Arc<T>);

impl<T> Data<T> {
    /// Wraps a value; needed only to call the function itself, as a test does.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Clone for Data<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for Data<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized + std::fmt::Debug> std::fmt::Debug for Data<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Send + Sync + 'static> FromContext for Data<T> {
    async fn from_context(ctx: &Context) -> Result<Self, Failure> {
        ctx.data()
            .get::<T>()
            .ok_or_else(|| Failure::new(format!("the worker was not given the state `{}`", type_name::<T>())))
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement { id: TypeId::of::<T>(), name: type_name::<T>() })
    }
}

/// State that a task cannot run without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The type.
    pub id: TypeId,
    /// Its name, for people.
    pub name: &'static str,
}

/// All state of one worker, one value a type.
#[derive(Clone, Default)]
pub struct DataMap(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl DataMap {
    /// Adds a value; one of the same type is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of a type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Data<T>> {
        let value = Arc::clone(self.0.get(&TypeId::of::<T>())?);
        Some(Data(value.downcast().expect("a value is stored under its own type")))
    }

    /// Whether what is required is there.
    #[must_use]
    pub fn has(&self, requirement: &Requirement) -> bool {
        self.0.contains_key(&requirement.id)
    }
}
