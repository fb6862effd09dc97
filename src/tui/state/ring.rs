//! A list that forgets its oldest items, so that nothing from outside can make
//! the app grow.

use std::collections::VecDeque;

/// A bounded list. Items keep their number when older ones are forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// How many items were forgotten: the number of the first one kept.
    forgotten: usize,
}

impl<T> Ring<T> {
    /// An empty list that keeps this many items.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), capacity, forgotten: 0 }
    }

    /// Adds an item; forgets the oldest when there are too many.
    pub fn push(&mut self, item: T) {
        if self.items.len() == self.capacity {
            self.items.pop_front();
            self.forgotten += 1;
        }
        self.items.push_back(item);
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many were forgotten.
    #[must_use]
    pub const fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// From the oldest to the newest, to change.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.items.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_and_numbers_stay() {
        let mut ring = Ring::new(2);
        for item in 0..5 {
            ring.push(item);
        }
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [3, 4]);
        assert_eq!((ring.forgotten(), ring.len()), (3, 2));
    }
}
