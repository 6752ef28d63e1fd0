use std::error::Error as StdError;

use busway_core::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

/// 2000-01-01 in milliseconds since 1970: where PostgreSQL counts from, in microseconds.
const ORIGIN_MS: i64 = 946_684_800_000;

/// A time as PostgreSQL's `timestamptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SqlTime(pub(super) Timestamp);

impl ToSql for SqlTime {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        ((self.0.as_millis() - ORIGIN_MS) * 1_000).to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for SqlTime {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        let micros = i64::from_sql(ty, raw)?;
        Ok(Self(Timestamp::from_millis(micros.div_euclid(1_000).saturating_add(ORIGIN_MS))))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were_and_endless_ones_are_the_first_and_last() {
        for time in [0, -1, 1_767_225_600_123, -2_208_988_800_001].map(Timestamp::from_millis) {
            assert_eq!(there_and_back(time), time);
        }
        assert_eq!([Timestamp::MIN, Timestamp::MAX].map(there_and_back), [Timestamp::MIN, Timestamp::MAX]);
        let read = |micros: i64| SqlTime::from_sql(&Type::TIMESTAMPTZ, &micros.to_be_bytes()).unwrap().0;
        assert_eq!((read(i64::MIN), read(i64::MAX)), (Timestamp::MIN, Timestamp::MAX));
    }

    fn there_and_back(time: Timestamp) -> Timestamp {
        let mut bytes = BytesMut::new();
        SqlTime(time).to_sql(&Type::TIMESTAMPTZ, &mut bytes).unwrap();
        SqlTime::from_sql(&Type::TIMESTAMPTZ, &bytes).unwrap().0
    }
}
