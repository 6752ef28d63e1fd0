use crate::{
    output::{Output, compact},
    text::{local_time, printable, shortened},
    wire::Event,
};

/// An event on one line: type, tenant, key, time, payload; cut to the width of the terminal.
pub(crate) fn event_line(event: &Event, output: Output) -> String {
    let key = event.key.as_deref().unwrap_or("-");
    let head = printable(&format!("{}  {}  {key}  {}", event.event_type, event.tenant_id, local_time(&event.time)));
    let payload = printable(&compact(event.payload.get()));
    match output.width() {
        Some(width) => shortened(&format!("{head}  {payload}"), width),
        None => format!("{head}  {payload}"),
    }
}
