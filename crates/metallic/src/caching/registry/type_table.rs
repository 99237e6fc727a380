//! Values of different types behind one face, and the table that finds one by its type.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::caching::drops::run_each;

/// A trait object that knows, as [`Any`] does, the type of what it points to.
pub(in crate::caching) trait Erased: 'static {
    fn as_any(&self) -> &dyn Any;
}

/// A place for a boxed value of a forgotten type, seen from outside as the trait object `O`.
struct Cell<O: ?Sized> {
    /// The type of what `value` points to, as the value itself says through `Any`, whose answer no implementation of a trait can
    /// change: whoever made a trait object of the value does not choose what is recorded here. Without a value, that of
    /// [`Vacant`].
    type_id: TypeId,
    value: Option<Box<O>>,
}

/// The type of which there is never a value, for places without one: a look-up then compares types and asks nothing else.
enum Vacant {}

impl<O: ?Sized> Cell<O> {
    fn vacant() -> Self {
        Self { type_id: TypeId::of::<Vacant>(), value: None }
    }

    /// Takes the value out, and with it its type.
    fn take(&mut self) -> Option<Box<O>> {
        std::mem::replace(self, Self::vacant()).value
    }

    fn is_vacant(&self) -> bool {
        self.value.is_none()
    }

    #[inline(always)]
    fn is<T: 'static>(&self) -> bool {
        self.type_id == TypeId::of::<T>()
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "the downcast")]
    fn get<T: 'static>(&self) -> Option<&T> {
        // SAFETY: `type_id` is that of the value or, if there is none, that of `Vacant`, which no caller can name: so there is a
        // value, and it is a `T`. It is borrowed for as long as the cell is.
        self.is::<T>().then(|| unsafe {
            let value: *const O = &raw const **self.value.as_ref().unwrap_unchecked();
            &*value.cast::<T>()
        })
    }

    /// A downcast like that of `dyn Any`, but the type is recorded in the cell: `Any` would ask the value for it, by a virtual
    /// call that costs more than a look-up in a cache.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the downcast")]
    fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        // SAFETY: as in `get`; the borrow is mutable.
        self.is::<T>().then(|| unsafe {
            let value: *mut O = &raw mut **self.value.as_mut().unwrap_unchecked();
            &mut *value.cast::<T>()
        })
    }
}

impl<O: Erased + ?Sized> Cell<O> {
    fn new(value: Box<O>) -> Self {
        Self { type_id: value.as_any().type_id(), value: Some(value) }
    }
}

/// A counted value of a forgotten type, seen from outside as the trait object `O`.
pub(in crate::caching) struct Typed<O: ?Sized> {
    /// As that of a [`Cell`].
    type_id: TypeId,
    value: Arc<O>,
}

impl<O: Erased + ?Sized> Typed<O> {
    pub(in crate::caching) fn new(value: Arc<O>) -> Self {
        Self { type_id: value.as_any().type_id(), value }
    }
}

impl<O: ?Sized> Typed<O> {
    pub(in crate::caching) fn value(&self) -> &Arc<O> {
        &self.value
    }

    /// The value, if it is a `T`.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the downcast")]
    pub(in crate::caching) fn get<T: 'static>(&self) -> Option<&T> {
        // SAFETY: `type_id` is that of the value, which is a `T` therefore. It is borrowed for as long as this is, and what is
        // counted stays where it is.
        (self.type_id == TypeId::of::<T>()).then(|| unsafe { &*Arc::as_ptr(&self.value).cast::<T>() })
    }
}

/// At most one value of each type.
///
/// A type has two places among the near cells, which follow from its `TypeId` and so are known when the program is compiled:
/// for a type that is in its first place, a look-up is one comparison at a fixed offset. `NEAR` is a power of two, best some
/// times larger than the number of types.
pub(in crate::caching) struct TypeTable<O: ?Sized, const NEAR: usize> {
    near: Box<[Cell<O>; NEAR]>,
    /// The cells of types both of whose places were taken, in the order of their `TypeId`s.
    far: Vec<Cell<O>>,
}

impl<O: Erased + ?Sized, const NEAR: usize> TypeTable<O, NEAR> {
    const fn first(hash: usize) -> usize {
        hash % NEAR
    }

    const fn second(hash: usize) -> usize {
        hash / NEAR % NEAR
    }

    /// The value of type `T`.
    pub(in crate::caching) fn get<T: 'static>(&self) -> Option<&T> {
        let hash = hash_of::<T>();
        for place in [Self::first(hash), Self::second(hash)] {
            if let Some(found) = self.near[place].get() {
                return Some(found);
            }
        }
        self.far[self.find_far::<T>().ok()?].get()
    }

    /// The value of type `T`.
    #[inline]
    pub(in crate::caching) fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let hash = hash_of::<T>();
        let (first, second) = (Self::first(hash), Self::second(hash));
        if self.near[first].is::<T>() {
            self.near[first].get_mut()
        } else if self.near[second].is::<T>() {
            self.near[second].get_mut()
        } else {
            let place = self.find_far::<T>().ok()?;
            self.far[place].get_mut()
        }
    }

    /// The value of type `T`, if it is in its first place.
    #[inline(always)]
    pub(in crate::caching) fn near<T: 'static>(&self) -> Option<&T> {
        self.near[Self::first(hash_of::<T>())].get()
    }

    /// The value of type `T`, if it is in its first place.
    #[inline(always)]
    pub(in crate::caching) fn near_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.near[Self::first(hash_of::<T>())].get_mut()
    }

    pub(in crate::caching) fn iter(&self) -> impl Iterator<Item = &O> {
        self.near.iter().chain(&self.far).filter_map(|cell| cell.value.as_deref())
    }

    pub(in crate::caching) fn iter_mut(&mut self) -> impl Iterator<Item = &mut O> {
        self.near.iter_mut().chain(&mut self.far).filter_map(|cell| cell.value.as_deref_mut())
    }

    /// Inserts a value of a type of which there is none yet.
    pub(in crate::caching) fn insert(&mut self, value: Box<O>) {
        let cell = Cell::new(value);
        let hash = word_of(cell.type_id);
        for place in [Self::first(hash), Self::second(hash)] {
            if self.near[place].is_vacant() {
                self.near[place] = cell;
                return;
            }
        }
        let place = self.far.partition_point(|other| other.type_id < cell.type_id);
        self.far.insert(place, cell);
    }

    /// Takes the value of type `T` out.
    pub(in crate::caching) fn remove<T: 'static>(&mut self) -> Option<Box<O>> {
        let hash = hash_of::<T>();
        for place in [Self::first(hash), Self::second(hash)] {
            if self.near[place].is::<T>() {
                return self.near[place].take();
            }
        }
        let place = self.find_far::<T>().ok()?;
        self.far.remove(place).value
    }

    fn find_far<T: 'static>(&self) -> Result<usize, usize> {
        self.far.binary_search_by_key(&TypeId::of::<T>(), |cell| cell.type_id)
    }
}

impl<O: ?Sized, const NEAR: usize> Drop for TypeTable<O, NEAR> {
    fn drop(&mut self) {
        // Each, whichever of them panics.
        run_each(self.near.iter_mut().chain(&mut self.far).filter_map(Cell::take), drop);
    }
}

impl<O: ?Sized, const NEAR: usize> Default for TypeTable<O, NEAR> {
    fn default() -> Self {
        Self { near: Box::new(std::array::from_fn(|_| Cell::vacant())), far: Vec::new() }
    }
}

#[inline(always)]
fn hash_of<T: 'static>() -> usize {
    word_of(TypeId::of::<T>())
}

/// A `TypeId` is a hash already: this takes out the word that it gives to a hasher.
#[inline(always)]
pub(in crate::caching) fn word_of(id: TypeId) -> usize {
    let mut word = TypeIdWord(0);
    id.hash(&mut word);
    word.finish() as usize
}

struct TypeIdWord(u64);

impl Hasher for TypeIdWord {
    fn write(&mut self, bytes: &[u8]) {
        // Not called today; if a later standard library does, this is still a hash.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
