//! Bytes that are written at once, and no room left over in them: what has none is shared without a second allocation.

use std::cell::Cell;

/// A thread keeps so much room for the next.
const KEPT: usize = 4096;

thread_local! {
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What `write` writes.
pub(crate) fn filled<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> (Vec<u8>, T) {
    filled_with(0, write)
}

/// The same, of about so many bytes: what is large need not be copied for having much room left over.
pub(crate) fn filled_with<T>(bytes: usize, write: impl FnOnce(&mut Vec<u8>) -> T) -> (Vec<u8>, T) {
    let mut room = ROOM.take();
    room.clear();
    room.reserve_exact(bytes);
    let told = write(&mut room);
    if room.capacity() > KEPT {
        if room.capacity() - room.len() > room.len() / 8 {
            room.shrink_to_fit();
        }
        return (room, told);
    }
    let bytes = room.to_vec();
    ROOM.set(room);
    (bytes, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_while_something_is_written_stays_its_own() {
        let (outer, inner) = filled(|outer| {
            outer.push(1);
            let (inner, ()) = filled(|inner| inner.push(2));
            outer.push(3);
            inner
        });
        assert_eq!((outer, inner), (vec![1, 3], vec![2]));
    }

    #[test]
    fn only_what_is_large_leaves_room_and_little() {
        let (small, ()) = filled(|bytes| bytes.extend([7; 100]));
        assert_eq!((small.len(), small.capacity()), (100, 100));
        let (large, ()) = filled(|bytes| (0..=KEPT).for_each(|_| bytes.push(7)));
        assert!(
            large.len() == KEPT + 1 && large.capacity() < large.len() * 9 / 8 + 1,
            "{}",
            large.capacity()
        );
        assert!(ROOM.take().capacity() <= KEPT);
        let (known, ()) = filled_with(2 * KEPT, |bytes| bytes.extend(vec![7; 2 * KEPT - 10]));
        assert!(known.capacity() < 2 * KEPT + 100);
    }
}
