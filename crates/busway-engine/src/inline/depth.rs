use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// One level of listeners that emit, which ends with its scope; it knows the level above.
pub(super) struct Depth(u32);

impl Depth {
    /// As many as the hops of stored events.
    pub(super) const MOST: u32 = 16;

    /// One level deeper, unless it is too deep.
    #[inline]
    pub(super) fn enter() -> Option<Self> {
        DEPTH.with(|depth| {
            let above = depth.get();
            (above < Self::MOST).then(|| {
                depth.set(above + 1);
                Self(above)
            })
        })
    }
}

impl Drop for Depth {
    #[inline]
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(self.0));
    }
}
