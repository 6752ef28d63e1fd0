use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Double, Twist,
    twist::{LogTwist, Sound},
};
use crate::{
    Body, Entry, Event, Key, LaneId, Log, Metadata, Payload, ReadPage, ReadRequest, Result, Seq, TenantId, Timestamp,
};

/// Gives entries back otherwise than they were stored.
struct Altered(fn(&mut Entry));

impl Altered {
    fn entries(&self, entries: Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
        let alter = |entry: Arc<Entry>| {
            let mut entry = Entry::clone(&entry);
            self.0(&mut entry);
            Arc::new(entry)
        };
        entries.into_iter().map(alter).collect()
    }
}

#[async_trait]
impl LogTwist for Altered {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let page = sound.read(request).await?;
        Ok(ReadPage { entries: self.entries(page.entries), ..page })
    }

    async fn fetch(&self, sound: Sound<'_, dyn Log>, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        Ok(self.entries(sound.fetch(lane, seqs).await?))
    }

    async fn find(
        &self,
        sound: Sound<'_, dyn Log>,
        tenant: Option<&TenantId>,
        from: Uuid,
        to: Uuid,
        max: usize,
    ) -> Result<Vec<Arc<Entry>>> {
        Ok(self.entries(sound.find(tenant, from, to, max).await?))
    }
}

/// Changes the event of an entry.
fn event(entry: &mut Entry, change: impl FnOnce(&mut Event)) {
    if let Body::Event(event) = &mut entry.body {
        change(Arc::make_mut(event));
    }
}

/// Changes the text of an entry's payload.
fn payload(entry: &mut Entry, change: impl FnOnce(&str) -> Option<String>) {
    event(entry, |event| {
        if let Some(text) = change(event.payload.as_str()) {
            event.payload = Payload::from_store(text);
        }
    });
}

fn depth(text: &str) -> usize {
    let opens = |c: char| matches!(c, '[' | '{');
    text.split(|c: char| !opens(c)).map(str::len).max().unwrap_or(0).max(text.matches(r#"{"a":"#).count())
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "takes the highest id for none",
        noticed_by: &["ids_of_every_version_come_back"],
        twist: || {
            Twist::log(Altered(|entry| {
                event(entry, |event| {
                    if event.id.is_max() {
                        event.id = Uuid::nil();
                    }
                });
            }))
        },
    },
    Double {
        fault: "forgets the tenant of an event",
        noticed_by: &[
            "types_tenants_and_keys_come_back",
            "a_tenant_sees_its_own_events_alone",
            "each_tenant_finds_its_own_events_alone",
        ],
        twist: || Twist::log(Altered(|entry| event(entry, |event| event.tenant = TenantId::from_store("default")))),
    },
    Double {
        fault: "trims keys",
        noticed_by: &["types_tenants_and_keys_come_back"],
        twist: || {
            Twist::log(Altered(|entry| {
                event(entry, |event| event.key = event.key.as_ref().map(|key| Key::from_store(key.as_str().trim())));
            }))
        },
    },
    Double {
        fault: "keeps times to the second",
        noticed_by: &["times_come_back_to_the_millisecond"],
        twist: || {
            Twist::log(Altered(|entry| {
                event(entry, |event| event.time = Timestamp::from_millis(event.time.as_millis() / 1_000 * 1_000));
            }))
        },
    },
    Double {
        fault: "writes metadata anew",
        noticed_by: &["metadata_comes_back"],
        twist: || {
            Twist::log(Altered(|entry| {
                event(entry, |event| event.metadata = Metadata::from_map(event.metadata.to_map()).unwrap_or_default());
            }))
        },
    },
    Double {
        fault: "empties payloads of more than 64 KiB",
        noticed_by: &["payloads_from_two_bytes_to_the_largest_come_back"],
        twist: || Twist::log(Altered(|entry| payload(entry, |text| (text.len() > 65_536).then(|| "{}".into())))),
    },
    Double {
        fault: "knows no characters above the first plane",
        noticed_by: &["payloads_of_every_unicode_plane_come_back"],
        twist: || {
            Twist::log(Altered(|entry| {
                payload(entry, |text| {
                    Some(text.chars().map(|c| if c > '\u{ffff}' { '\u{fffd}' } else { c }).collect())
                });
            }))
        },
    },
    Double {
        fault: "drops what is nested deeply",
        noticed_by: &["payloads_nested_deeply_come_back"],
        twist: || Twist::log(Altered(|entry| payload(entry, |text| (depth(text) > 64).then(|| "{}".into())))),
    },
    Double {
        fault: "reads numbers and writes them anew",
        noticed_by: &["payloads_with_numbers_at_the_edges_come_back", "whitespace_and_the_order_of_fields_are_kept"],
        twist: || {
            Twist::log(Altered(|entry| {
                payload(entry, |text| Some(serde_json::from_str::<serde_json::Value>(text).ok()?.to_string()));
            }))
        },
    },
    Double {
        fault: "drops escaped NUL",
        noticed_by: &["payloads_with_escapes_come_back"],
        twist: || Twist::log(Altered(|entry| payload(entry, |text| Some(text.replace(r"\u0000", ""))))),
    },
    Double {
        fault: "tells a stored_at that falls",
        noticed_by: &["stored_at_never_falls_within_a_lane", "a_time_leads_to_the_first_event_stored_at_it_or_later"],
        twist: || {
            Twist::log(Altered(|entry| {
                let falling = entry.stored_at.as_millis() - entry.seq as i64 * 60_000;
                entry.stored_at = Timestamp::from_millis(falling);
            }))
        },
    },
];
