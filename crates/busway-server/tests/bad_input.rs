//! Everything that a caller can get wrong, each with the exact answer; and nothing of it leaves a trace.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer};

/// One wrong call and how it is refused.
struct Bad {
    what: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    /// The faults as `[index]/pointer code`, in the order they are told.
    at: &'static [&'static str],
    /// What the sentence says.
    says: &'static str,
}

impl Bad {
    fn call(what: &'static str, method: Method, path: &str, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = body.as_ref().to_vec();
        Self { what, method, path: path.into(), headers, body, status: 0, code: "", at: &[], says: "" }
    }

    fn event(what: &'static str, body: impl AsRef<[u8]>) -> Self {
        Self::call(what, Method::POST, "/api/events", body)
    }

    fn subscription(what: &'static str, body: impl AsRef<[u8]>) -> Self {
        Self::call(what, Method::PUT, "/api/subscriptions/new", body)
    }

    fn on_crm(what: &'static str, call: &str, body: impl AsRef<[u8]>) -> Self {
        Self::call(what, Method::POST, &format!("/api/subscriptions/crm/{call}"), body)
    }

    fn query(what: &'static str, path: &str) -> Self {
        Self { headers: Vec::new(), ..Self::call(what, Method::GET, path, "") }.is(400, "bad_request")
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(given, _)| *given != name);
        self.headers.push((name, value.into()));
        self
    }

    fn without_type(mut self) -> Self {
        self.headers.clear();
        self
    }

    fn is(self, status: u16, code: &'static str) -> Self {
        Self { status, code, ..self }
    }

    fn at(self, at: &'static [&'static str]) -> Self {
        Self { at, ..self }
    }

    fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    async fn call_of(&self, server: &TestServer) -> Answer {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        server.send(self.method.clone(), &self.path, &headers, &self.body).await
    }

    /// What is wrong with the answer, if anything.
    fn mismatch(&self, answer: &Answer) -> Option<String> {
        let wrong = |what: &str| Some(format!("{}: {what}\n  {} {}", self.what, answer.status, answer.text));
        let Ok(problem) = serde_json::from_str::<Value>(&answer.text) else { return wrong("not JSON") };
        let faults = problem["errors"].as_array().cloned().unwrap_or_default();
        let told: Vec<String> = faults.iter().map(told).collect();
        if answer.status != self.status || problem["status"] != self.status {
            wrong(&format!("status is not {}", self.status))
        } else if problem["code"] != self.code || problem["type"] != format!("/errors/{}", self.code) {
            wrong(&format!("code is not {}", self.code))
        } else if answer.header("content-type") != Some("application/problem+json") {
            wrong("not a problem")
        } else if told != self.at {
            wrong(&format!("faults are {told:?}, not {:?}", self.at))
        } else if !problem["detail"].as_str().is_some_and(|detail| detail.contains(self.says)) {
            wrong(&format!("does not say `{}`", self.says))
        } else {
            None
        }
    }
}

fn told(fault: &Value) -> String {
    let index = fault.get("index").map(|index| format!("[{index}]")).unwrap_or_default();
    format!("{index}{} {}", fault["pointer"].as_str().unwrap_or("?"), fault["code"].as_str().unwrap_or("?"))
}

fn events() -> Vec<Bad> {
    let (good, long) = (r#"{"type":"good"}"#, "x".repeat(257));
    let nested = format!(r#"{{"type":"a","payload":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let too_many = format!("[{}]", vec![good; 1_001].join(","));
    let too_large = format!(r#"{{"type":"a","payload":{{"t":"{}"}}}}"#, "x".repeat(256 << 10));
    let body_too_large = format!("[{}]", vec![" ".repeat(1 << 20); 9].join(""));
    vec![
        Bad::event("no body", "").is(400, "bad_request").says("not JSON"),
        Bad::event("half an object", r#"{"type":"a""#).is(400, "bad_request").says("not JSON"),
        Bad::event("two values", r#"{"type":"a"} {"type":"b"}"#).is(400, "bad_request").says("not JSON"),
        Bad::event("single quotes", "{'type':'a'}").is(400, "bad_request").says("not JSON"),
        Bad::event("a comma too many", r#"[{"type":"good"},]"#).is(400, "bad_request").says("not JSON"),
        Bad::event("not a number", r#"{"type":"a","payload":{"n":NaN}}"#).is(400, "bad_request").says("not JSON"),
        Bad::event("a raw line end in a string", "{\"type\":\"a\nb\"}").is(400, "bad_request").says("not JSON"),
        Bad::event("not UTF-8", b"{\"type\":\"\xff\"}").is(400, "bad_request").says("not UTF-8"),
        Bad::event("UTF-16", b"\xff\xfe{\0}\0").is(400, "bad_request").says("not UTF-8"),
        Bad::event("a number", "7").is(422, "invalid_event").at(&[" not_an_object"]),
        Bad::event("null", "null").is(422, "invalid_event").at(&[" not_an_object"]),
        Bad::event("an empty array", "[]").is(422, "invalid_body").at(&[" wrong_length"]),
        Bad::event("1,001 events", too_many).is(422, "invalid_body").at(&[" wrong_length"]),
        Bad::event("an array in an array", format!("[{good},[{good}]]"))
            .is(422, "invalid_event")
            .at(&["[1] not_an_object"]),
        Bad::event("no type", "{}").is(422, "invalid_event").at(&["/type required"]),
        Bad::event("type null", r#"{"type":null}"#).is(422, "invalid_event").at(&["/type wrong_type"]),
        Bad::event("type empty", r#"{"type":""}"#).is(422, "invalid_event").at(&["/type invalid_name"]),
        Bad::event("type with a space", r#"{"type":"a b"}"#).is(422, "invalid_event").at(&["/type invalid_name"]),
        Bad::event("type with an empty segment", r#"{"type":"a..b"}"#)
            .is(422, "invalid_event")
            .at(&["/type invalid_name"]),
        Bad::event("type a pattern", r#"{"type":"a.*"}"#).is(422, "invalid_event").at(&["/type invalid_name"]),
        Bad::event("type with a long segment", format!(r#"{{"type":"{}"}}"#, "x".repeat(65)))
            .is(422, "invalid_event")
            .at(&["/type invalid_name"]),
        Bad::event("type half a surrogate pair", r#"{"type":"\ud800"}"#)
            .is(422, "invalid_event")
            .at(&["/type not_unicode"]),
        Bad::event("id no UUID", r#"{"type":"a","id":"7"}"#).is(422, "invalid_event").at(&["/id invalid_uuid"]),
        Bad::event("tenant with a slash", r#"{"type":"a","tenantId":"a/b"}"#)
            .is(422, "invalid_event")
            .at(&["/tenantId invalid_name"]),
        Bad::event("tenant the installation", r#"{"type":"a","tenantId":"*"}"#)
            .is(422, "invalid_event")
            .at(&["/tenantId invalid_name"]),
        Bad::event("key empty", r#"{"type":"a","key":""}"#).is(422, "invalid_event").at(&["/key invalid_name"]),
        Bad::event("key too long", format!(r#"{{"type":"a","key":"{long}"}}"#))
            .is(422, "invalid_event")
            .at(&["/key invalid_name"]),
        Bad::event("key a number", r#"{"type":"a","key":7}"#).is(422, "invalid_event").at(&["/key wrong_type"]),
        Bad::event("key with NUL", r#"{"type":"a","key":"a\u0000"}"#)
            .is(422, "invalid_event")
            .at(&["/key invalid_name"]),
        Bad::event("time no time", r#"{"type":"a","time":"yesterday"}"#)
            .is(422, "invalid_event")
            .at(&["/time invalid_time"]),
        Bad::event("time a number", r#"{"type":"a","time":1769860800}"#)
            .is(422, "invalid_event")
            .at(&["/time wrong_type"]),
        Bad::event("payload null", r#"{"type":"a","payload":null}"#)
            .is(422, "invalid_event")
            .at(&["/payload not_an_object"]),
        Bad::event("payload an array", r#"{"type":"a","payload":[]}"#)
            .is(422, "invalid_event")
            .at(&["/payload not_an_object"]),
        Bad::event("payload nested deeply", nested).is(422, "invalid_event").at(&["/payload not_an_object"]),
        Bad::event("metadata a string", r#"{"type":"a","metadata":"m"}"#)
            .is(422, "invalid_event")
            .at(&["/metadata not_an_object"]),
        Bad::event("metadata with a number", r#"{"type":"a","metadata":{"x/y":1}}"#)
            .is(422, "invalid_event")
            .at(&["/metadata/x~1y wrong_type"]),
        Bad::event("metadata with too many hops", r#"{"type":"a","metadata":{"hops":17}}"#)
            .is(422, "invalid_event")
            .at(&["/metadata/hops loop"]),
        Bad::event("a field that is set by the store", r#"{"type":"a","storedAt":"2026-01-31T12:00:00Z"}"#)
            .is(422, "invalid_event")
            .at(&["/storedAt read_only"]),
        Bad::event("a field nobody knows", r#"{"type":"a","paylod":{}}"#)
            .is(422, "invalid_event")
            .at(&["/paylod unknown_field"])
            .says("did you mean `payload`?"),
        Bad::event("a field of another form", r#"{"eventType":"a"}"#)
            .is(422, "invalid_event")
            .at(&["/eventType unknown_field", "/type required"]),
        Bad::event("a field twice", r#"{"type":"a","type":"b"}"#).is(422, "invalid_event").at(&["/type repeated_name"]),
        Bad::event("several at once", format!(r#"[{good},{{"type":"ticket.created","key":7,"id":"x"}},{good}]"#))
            .is(422, "invalid_event")
            .at(&["[1]/id invalid_uuid", "[1]/key wrong_type"])
            .says("event 2 of 3, ticket.created; nothing was stored"),
        Bad::event("several events at once", format!(r#"[{{}},{good},{{"type":"a","x":1}}]"#))
            .is(422, "invalid_event")
            .at(&["[0]/type required", "[2]/x unknown_field"])
            .says("nothing was stored"),
        Bad::event("an event above 256 KiB", &too_large)
            .is(413, "too_large")
            .at(&[" too_large"])
            .says("nothing was stored"),
        Bad::event("one of them above 256 KiB", format!("[{good},{too_large}]"))
            .is(413, "too_large")
            .at(&["[1] too_large"]),
        Bad::event("a body above 8 MiB", body_too_large).is(413, "too_large").says("8 MiB"),
        Bad::event("text", good)
            .with("content-type", "text/plain")
            .is(415, "unsupported_media_type")
            .says("application/json"),
        Bad::event("a form", good)
            .with("content-type", "application/x-www-form-urlencoded")
            .is(415, "unsupported_media_type"),
        Bad::event("no content type", good).without_type().is(415, "unsupported_media_type"),
        Bad::event("a CloudEvent", good)
            .with("content-type", "application/cloudevents+json")
            .is(415, "unsupported_media_type"),
        Bad::event("CloudEvents", good)
            .with("content-type", "application/cloudevents-batch+json")
            .is(415, "unsupported_media_type"),
        Bad::event("a CloudEvent by headers", good).with("ce-specversion", "1.0").is(415, "unsupported_media_type"),
        Bad::event("psa", good).with("content-type", "application/json; form=psa").is(415, "unsupported_media_type"),
        Bad::event("another charset", good)
            .with("content-type", "application/json; charset=utf-16")
            .is(415, "unsupported_media_type"),
        Bad::event("a key too long to remember", good)
            .with("idempotency-key", long)
            .is(400, "bad_request")
            .says("Idempotency-Key"),
        Bad::call("explain maybe", Method::POST, "/api/events?explain=maybe", good)
            .is(400, "bad_request")
            .says("`explain`"),
        Bad::call(
            "another's event",
            Method::POST,
            "/api/events?tenant=acme",
            r#"[{"type":"a"},{"type":"a","tenantId":"hill"}]"#,
        )
        .is(422, "invalid_event")
        .at(&["[1]/tenantId other_tenant"]),
    ]
}

fn queries() -> Vec<Bad> {
    vec![
        Bad::query("limit 0", "/api/events?limit=0").says("`limit`"),
        Bad::query("limit 1,001", "/api/events?limit=1001").says("`limit`"),
        Bad::query("limit no number", "/api/subscriptions?limit=ten").says("`limit`"),
        Bad::query("a parameter twice", "/api/events?limit=1&limit=2").says("more than once"),
        Bad::query("a parameter without a value", "/api/events?tenant=").says("`tenant` is empty"),
        Bad::query("a parameter nobody knows", "/api/events?limt=1").says("`limt` means nothing here"),
        Bad::query("order sideways", "/api/events?order=sideways").says("`order`"),
        Bad::query("after no time", "/api/events?after=yesterday").says("`after`"),
        Bad::query("type no pattern", "/api/events?type=a..b").says("`type`"),
        Bad::query("only an exclusion", "/api/events?type=!a").says("`type`"),
        Bad::query("tenant no name", "/api/events?tenant=a%2Fb").says("`tenant`"),
        Bad::query("a cursor of our own", "/api/events?cursor=what").says(""),
        Bad::query("a cursor of another list", "/api/subscriptions?cursor=17").says("`cursor`"),
        Bad::query("a dead letter's cursor", "/api/dead-letters?cursor=x").says("`cursor`"),
        Bad::query("a dead letter's type", "/api/dead-letters?type=a.*").says("`type`"),
        Bad::query("a dead letter's subscription", "/api/dead-letters?subscription=a%20b").says("`subscription`"),
        Bad::query("dead letters of a queue", "/api/dead-letters?queue=mail").is(501, "unsupported").says("`queue`"),
        Bad::query("since nowhere", "/api/events/stream?since=what").says(""),
        Bad::query("an id that is none", "/api/events/what").is(404, "not_found"),
        Bad::query("a name that is none", "/api/subscriptions/a%20b").is(404, "not_found"),
        Bad::query("a name that is no text", "/api/subscriptions/%ff").is(404, "not_found"),
        Bad::query("a dead letter that is none", "/api/dead-letters/-1").is(404, "not_found"),
        Bad::query("a parameter where there are none", "/api/subscriptions/crm?verbose=true").says("`verbose`"),
        Bad::query("another form", "/api/events")
            .with("accept", "application/cloudevents-batch+json")
            .is(501, "unsupported"),
    ]
}

fn subscriptions() -> Vec<Bad> {
    vec![
        Bad::subscription("no types", "{}").is(422, "invalid_body").at(&["/types required"]),
        Bad::subscription("types a string", r#"{"types":"a"}"#).is(422, "invalid_body").at(&["/types wrong_type"]),
        Bad::subscription("types empty", r#"{"types":[]}"#).is(422, "invalid_body").at(&["/types invalid_pattern"]),
        Bad::subscription("types with a number", r#"{"types":["a",1]}"#)
            .is(422, "invalid_body")
            .at(&["/types/1 wrong_type"]),
        Bad::subscription("two stars", r#"{"types":["a","b.**"]}"#)
            .is(422, "invalid_body")
            .at(&["/types/1 invalid_pattern"]),
        Bad::subscription("two exclamation marks", r#"{"types":["a","!!b"]}"#)
            .is(422, "invalid_body")
            .at(&["/types/1 invalid_pattern"]),
        Bad::subscription("only exclusions", r#"{"types":["!a"]}"#)
            .is(422, "invalid_body")
            .at(&["/types invalid_pattern"]),
        Bad::subscription("mode unknown", r#"{"types":["a"],"mode":"poll"}"#)
            .is(422, "invalid_body")
            .at(&["/mode invalid_value"]),
        Bad::subscription("start unknown", r#"{"types":["a"],"start":"now"}"#)
            .is(422, "invalid_body")
            .at(&["/start invalid_value"]),
        Bad::subscription("order unknown", r#"{"types":["a"],"order":"any"}"#)
            .is(422, "invalid_body")
            .at(&["/order invalid_value"]),
        Bad::subscription("onDead unknown", r#"{"types":["a"],"onDead":"stop"}"#)
            .is(422, "invalid_body")
            .at(&["/onDead invalid_value"]),
        Bad::subscription("nobody at once", r#"{"types":["a"],"concurrency":0}"#)
            .is(422, "invalid_body")
            .at(&["/concurrency out_of_range"]),
        Bad::subscription("too many at once", r#"{"types":["a"],"concurrency":4294967296}"#)
            .is(422, "invalid_body")
            .at(&["/concurrency out_of_range"]),
        Bad::subscription("no time at all", r#"{"types":["a"],"ackTimeoutMs":0}"#)
            .is(422, "invalid_body")
            .at(&["/ackTimeoutMs out_of_range"]),
        Bad::subscription("half a millisecond", r#"{"types":["a"],"ackTimeoutMs":0.5}"#)
            .is(422, "invalid_body")
            .at(&["/ackTimeoutMs wrong_type"]),
        Bad::subscription("expired at once", r#"{"types":["a"],"expireAfterMs":0}"#)
            .is(422, "invalid_body")
            .at(&["/expireAfterMs out_of_range"]),
        Bad::subscription(
            "no attempt, much jitter, a name",
            r#"{"types":["a"],"retry":{"attempts":0,"jitter":1.5,"try":1}}"#,
        )
        .is(422, "invalid_body")
        .at(&["/retry/attempts out_of_range", "/retry/jitter out_of_range", "/retry/try unknown_field"]),
        Bad::subscription("negative jitter", r#"{"types":["a"],"retry":{"jitter":-0.1}}"#)
            .is(422, "invalid_body")
            .at(&["/retry/jitter out_of_range"]),
        Bad::subscription("retry a number", r#"{"types":["a"],"retry":5}"#)
            .is(422, "invalid_body")
            .at(&["/retry wrong_type"]),
        Bad::subscription("tenant no name", r#"{"types":["a"],"tenant":"a b"}"#)
            .is(422, "invalid_body")
            .at(&["/tenant invalid_value"]),
        Bad::subscription("a field nobody knows", r#"{"types":["a"],"colour":"red"}"#)
            .is(422, "invalid_body")
            .at(&["/colour unknown_field"]),
        Bad::subscription("a field twice", r#"{"types":["a"],"types":["b"]}"#)
            .is(422, "invalid_body")
            .at(&["/types repeated_name"]),
        Bad::subscription("an array", "[]").is(422, "invalid_body").at(&[" wrong_type"]),
        Bad::subscription("not JSON", "types: a").is(400, "bad_request"),
        Bad::subscription("nothing", "").is(400, "bad_request").says("empty"),
        Bad::subscription("text", "{}").with("content-type", "text/plain").is(415, "unsupported_media_type"),
        Bad::call("update perhaps", Method::PUT, "/api/subscriptions/new?update=1", r#"{"types":["a"]}"#)
            .is(400, "bad_request")
            .says("`update`"),
        Bad::call("a name with a space", Method::PUT, "/api/subscriptions/a%20b", r#"{"types":["a"]}"#)
            .is(422, "invalid_body")
            .at(&["/name invalid_name"]),
        Bad::call("keep perhaps", Method::DELETE, "/api/subscriptions/crm?keepDeadLetters=1", "")
            .is(400, "bad_request")
            .says("`keepDeadLetters`"),
    ]
}

fn calls() -> Vec<Bad> {
    vec![
        Bad::on_crm("pull none", "pull", r#"{"max":0}"#).is(422, "invalid_body").at(&["/max out_of_range"]),
        Bad::on_crm("pull 1,001", "pull", r#"{"max":1001}"#).is(422, "invalid_body").at(&["/max out_of_range"]),
        Bad::on_crm("pull many", "pull", r#"{"max":"many"}"#).is(422, "invalid_body").at(&["/max wrong_type"]),
        Bad::on_crm("wait too long", "pull", r#"{"waitMs":30001}"#)
            .is(422, "invalid_body")
            .at(&["/waitMs out_of_range"]),
        Bad::on_crm("wait less than none", "pull", r#"{"waitMs":-1}"#)
            .is(422, "invalid_body")
            .at(&["/waitMs out_of_range"]),
        Bad::on_crm("pull with a field nobody knows", "pull", r#"{"count":1}"#)
            .is(422, "invalid_body")
            .at(&["/count unknown_field"]),
        Bad::on_crm("settle one", "settle", r#"{"ack":"d1"}"#).is(422, "invalid_body").at(&["/ack wrong_type"]),
        Bad::on_crm("settle a number", "settle", r#"{"ack":["d1",2]}"#)
            .is(422, "invalid_body")
            .at(&["/ack/1 wrong_type"]),
        Bad::on_crm("retry nothing", "settle", r#"{"retry":[{"error":"e"}]}"#)
            .is(422, "invalid_body")
            .at(&["/retry/0/id required"]),
        Bad::on_crm("retry before", "settle", r#"{"retry":[{"id":"d1","delayMs":-5}]}"#)
            .is(422, "invalid_body")
            .at(&["/retry/0/delayMs out_of_range"]),
        Bad::on_crm("retry an id", "settle", r#"{"retry":["d1"]}"#)
            .is(422, "invalid_body")
            .at(&["/retry/0 wrong_type"]),
        Bad::on_crm("dead with a delay", "settle", r#"{"dead":[{"id":"d1","delayMs":5}]}"#)
            .is(422, "invalid_body")
            .at(&["/dead/0/delayMs unknown_field"]),
        Bad::on_crm("extend by nothing said", "settle", r#"{"extend":[{"id":"d1"}]}"#)
            .is(422, "invalid_body")
            .at(&["/extend/0/ms required"]),
        Bad::on_crm("extend by none", "settle", r#"{"extend":[{"id":"d1","ms":0}]}"#)
            .is(422, "invalid_body")
            .at(&["/extend/0/ms out_of_range"]),
        Bad::on_crm("settle otherwise", "settle", r#"{"nack":["d1"]}"#)
            .is(422, "invalid_body")
            .at(&["/nack unknown_field"]),
        Bad::on_crm("settle an id twice", "settle", r#"{"ack":["d1","d1"]}"#)
            .is(422, "invalid_body")
            .at(&["/ack/1 duplicate_id"]),
        Bad::on_crm("seek nowhere", "seek", "{}").is(422, "invalid_body").at(&["/to required"]),
        Bad::on_crm("seek to the moon", "seek", r#"{"to":"moon"}"#).is(422, "invalid_body").at(&["/to invalid_value"]),
        Bad::on_crm("replay from nowhere", "replay", r#"{"to":"latest"}"#)
            .is(422, "invalid_body")
            .at(&["/from required"]),
        Bad::on_crm("replay no pattern", "replay", r#"{"from":"earliest","types":["**"]}"#)
            .is(422, "invalid_body")
            .at(&["/types/0 invalid_pattern"]),
        Bad::call("pull of nobody", Method::POST, "/api/subscriptions/none/pull", "{}").is(404, "not_found"),
        Bad::call("edit nothing", Method::PATCH, "/api/dead-letters/1", "{}")
            .is(422, "invalid_body")
            .at(&["/payload required"]),
        Bad::call("edit to an array", Method::PATCH, "/api/dead-letters/1", r#"{"payload":[]}"#)
            .is(422, "invalid_body")
            .at(&["/payload not_an_object"]),
        Bad::call("edit what is not there", Method::PATCH, "/api/dead-letters/1", r#"{"payload":{}}"#)
            .is(404, "not_found"),
        Bad::call("retry what is not there", Method::POST, "/api/dead-letters/1/retry", "").is(404, "not_found"),
        Bad::call("discard all by saying nothing", Method::POST, "/api/dead-letters/discard", "")
            .is(400, "bad_request")
            .says("empty"),
        Bad::call("discard by a field nobody knows", Method::POST, "/api/dead-letters/discard", r#"{"older":"1d"}"#)
            .is(422, "invalid_body")
            .at(&["/older unknown_field"]),
        Bad::call(
            "discard before no time",
            Method::POST,
            "/api/dead-letters/discard",
            r#"{"before":"1d","type":"a.*"}"#,
        )
        .is(422, "invalid_body")
        .at(&["/type invalid_value", "/before invalid_value"]),
        Bad::call("retry a queue's", Method::POST, "/api/dead-letters/retry", r#"{"queue":"mail"}"#)
            .is(501, "unsupported")
            .says("`queue`"),
        Bad::call("retry of two tenants", Method::POST, "/api/dead-letters/retry?tenant=acme", r#"{"tenant":"hill"}"#)
            .is(422, "invalid_body")
            .at(&["/tenant other_tenant"]),
    ]
}

#[tokio::test]
async fn each_kind_of_bad_input_has_its_answer_and_leaves_nothing_behind() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    let before = server.get("/api/subscriptions").await.text;

    let table: Vec<Bad> = events().into_iter().chain(queries()).chain(subscriptions()).chain(calls()).collect();
    assert!(table.len() > 100);
    let mut mismatches = Vec::new();
    for bad in &table {
        mismatches.extend(bad.mismatch(&bad.call_of(&server).await));
    }
    assert!(mismatches.is_empty(), "{} of {}\n{}", mismatches.len(), table.len(), mismatches.join("\n"));

    assert_eq!(server.get("/api/events").await.expect(200), json!({ "items": [], "next": null }));
    assert_eq!(server.get("/api/dead-letters").await.expect(200), json!({ "items": [], "next": null }));
    assert_eq!(server.get("/api/subscriptions").await.text, before);
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/events HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 8388609\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(answer.contains(r#""code":"too_large""#), "{answer}");
}

#[tokio::test]
async fn a_connection_that_breaks_off_leaves_nothing_behind() {
    use tokio::{io::AsyncWriteExt, net::TcpStream};

    let server = TestServer::start().await;
    for body in ["", r#"[{"type":"a"},"#, r#"{"type":"a"}"#] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST /api/events HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{body}",
            server.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    assert_eq!(server.get("/api/events").await.expect(200), json!({ "items": [], "next": null }));
    server.get("/healthz").await.expect(200);
}
