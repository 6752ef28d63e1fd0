use crate::FieldError;

/// Most faults that are told of one event.
const MOST: usize = 32;
/// Longest name that is repeated in a fault, in bytes.
const LONGEST_NAME: usize = 200;

/// The faults of one event.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    told: Vec<FieldError>,
    untold: usize,
}

impl Faults {
    /// Adds a fault; beyond the most that are told of one event it is only counted.
    pub(crate) fn add(&mut self, fault: impl FnOnce() -> FieldError) {
        if self.told.len() < MOST { self.told.push(fault()) } else { self.untold += 1 }
    }

    /// Adds a fault of a field.
    pub(crate) fn at(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.add(|| FieldError::new(pointer, code, detail));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The faults in the order they were found.
    pub(crate) fn into_fields(mut self) -> Vec<FieldError> {
        if self.untold > 0 {
            let detail = format!("and {} more", self.untold);
            self.told.push(FieldError::new("", "more_faults", detail));
        }
        self.told
    }
}

/// The JSON pointer to a member of the object at `parent`; a very long name is cut.
pub(crate) fn pointer(parent: &str, name: &str) -> String {
    let mut cut = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    let dots = if cut < name.len() { "…" } else { "" };
    format!("{parent}/{}{dots}", name[..cut].replace('~', "~0").replace('/', "~1"))
}
