use std::{error::Error as StdError, fmt};

/// Any error that may be a source.
pub type BoxError = Box<dyn StdError + Send + Sync>;
/// What Busway's own calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Most fields that an error's sentence names; [`Error::fields`] has them all.
const TOLD: usize = 5;

/// What went wrong, in one code that Rust, HTTP (`type`), metrics and `docs/errors/` share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The event breaks a rule of its form or its schema.
    InvalidEvent,
    /// The catalog refuses the type.
    UnknownEventType,
    /// The request or a definition breaks a rule.
    InvalidBody,
    /// The request cannot be read at all: not JSON, a bad query.
    BadRequest,
    /// Another definition stands under the name.
    DefinitionDiffers,
    /// The call does not fit the subscription's mode.
    WrongMode,
    /// Another operation of the kind runs.
    Busy,
    /// The thing changed meanwhile, or is no longer the caller's.
    Stale,
    /// The position is not one of this log: it was restored, pruned or replaced.
    PositionLost,
    /// Nothing stands under the name or id.
    NotFound,
    /// No credentials, or not valid ones.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// The method does not fit the address.
    MethodNotAllowed,
    /// The content is larger than allowed.
    TooLarge,
    /// The content type is not one that is read.
    UnsupportedMediaType,
    /// The backend cannot do this.
    Unsupported,
    /// The store is full or read-only.
    StorageFull,
    /// Too much waits already; come again.
    Overloaded,
    /// The store or server cannot be reached.
    Unreachable,
    /// Whether it happened is not known; repeat it with the same ids.
    OutcomeUnknown,
    /// The backend's version is too old.
    BackendTooOld,
    /// The store was written by a newer Busway.
    StoreTooNew,
    /// The store lies on a network file system.
    NetworkFileSystem,
    /// The store's content contradicts itself.
    Corrupt,
    /// The address is in use.
    AddressInUse,
    /// The configuration breaks a rule.
    InvalidConfiguration,
    /// The bus or the store is shut down.
    Closed,
    /// A handler failed.
    Handler,
    /// A defect in Busway.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of `docs/errors/`.
    pub const ALL: &'static [ErrorKind] = &[
        ErrorKind::InvalidEvent,
        ErrorKind::UnknownEventType,
        ErrorKind::InvalidBody,
        ErrorKind::BadRequest,
        ErrorKind::DefinitionDiffers,
        ErrorKind::WrongMode,
        ErrorKind::Busy,
        ErrorKind::Stale,
        ErrorKind::PositionLost,
        ErrorKind::NotFound,
        ErrorKind::Unauthorized,
        ErrorKind::Forbidden,
        ErrorKind::MethodNotAllowed,
        ErrorKind::TooLarge,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::Unsupported,
        ErrorKind::StorageFull,
        ErrorKind::Overloaded,
        ErrorKind::Unreachable,
        ErrorKind::OutcomeUnknown,
        ErrorKind::BackendTooOld,
        ErrorKind::StoreTooNew,
        ErrorKind::NetworkFileSystem,
        ErrorKind::Corrupt,
        ErrorKind::AddressInUse,
        ErrorKind::InvalidConfiguration,
        ErrorKind::Closed,
        ErrorKind::Handler,
        ErrorKind::Internal,
    ];

    /// The code, `snake_case`.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidEvent => "invalid_event",
            Self::UnknownEventType => "unknown_event_type",
            Self::InvalidBody => "invalid_body",
            Self::BadRequest => "bad_request",
            Self::DefinitionDiffers => "definition_differs",
            Self::WrongMode => "wrong_mode",
            Self::Busy => "busy",
            Self::Stale => "stale",
            Self::PositionLost => "position_lost",
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Unsupported => "unsupported",
            Self::StorageFull => "storage_full",
            Self::Overloaded => "overloaded",
            Self::Unreachable => "unreachable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::BackendTooOld => "backend_too_old",
            Self::StoreTooNew => "store_too_new",
            Self::NetworkFileSystem => "network_file_system",
            Self::Corrupt => "corrupt",
            Self::AddressInUse => "address_in_use",
            Self::InvalidConfiguration => "invalid_configuration",
            Self::Closed => "closed",
            Self::Handler => "handler",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Overloaded | Self::Unreachable | Self::OutcomeUnknown | Self::Busy | Self::Stale => Status::Temporary,
            _ => Status::Permanent,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Whether trying again may help; retry reads this and never a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The same call will fail again.
    Permanent,
    /// The same call may succeed later.
    Temporary,
    /// It was temporary, and trying again has been given up.
    Persistent,
}

/// One fault in an event or a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which item of an array, from 0; `None` where the body was no array.
    pub index: Option<usize>,
    /// JSON pointer to the field; empty for the whole.
    pub pointer: String,
    /// `snake_case` code of the broken rule.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl FieldError {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { index: None, pointer: pointer.into(), code, detail: detail.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{} ", self.pointer)?;
        }
        f.write_str(&self.detail)
    }
}

/// Kind, status, context and source of what went wrong.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    status: Status,
    detail: String,
    fields: Vec<FieldError>,
    context: Vec<(&'static str, String)>,
    source: Option<BoxError>,
}

impl Error {
    /// An error of this kind; `detail` says what happened and the way out.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: detail.into(),
            fields: Vec::new(),
            context: Vec::new(),
            source: None,
        }
    }

    /// An error that names the fields at fault.
    pub fn invalid(kind: ErrorKind, fields: Vec<FieldError>) -> Self {
        let mut detail = fields.iter().take(TOLD).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if fields.len() > TOLD {
            detail.push_str(&format!("; and {} more", fields.len() - TOLD));
        }
        Self { fields, ..Self::new(kind, detail) }
    }

    /// The same error told in other words.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same error with another status.
    pub fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The same error with the error that caused it.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with one more named fact.
    pub fn with_context(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((name, value.to_string()));
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether trying again may help.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What happened, in a sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The fields at fault, if the error is about input.
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }

    /// The fields at fault, to be renumbered or moved.
    pub fn into_fields(self) -> Vec<FieldError> {
        self.fields
    }

    /// Named facts.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// True if the same call may succeed later.
    pub fn is_temporary(&self) -> bool {
        self.status == Status::Temporary
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)?;
        for (name, value) in &self.context {
            write!(f, ", {name} {value}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
