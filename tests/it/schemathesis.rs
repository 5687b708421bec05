//! [Schemathesis](https://schemathesis.io) makes up requests from the published description and sends them to the
//! program: none may end in a server error, and every answer must be one that the description knows.
//!
//! A few examples per operation run with the other tests; `NIGHTSHIFT_SCHEMATHESIS_EXAMPLES` asks for more.

use std::process::Stdio;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use tokio::process::Command;

use crate::sdk::python;
use crate::support::on;

each_engine! {
    no_made_up_request_gets_a_server_error_or_an_answer_that_is_not_described,
}

/// Examples per operation, unless the environment asks for more.
const EXAMPLES: &str = "3";

/// Operations that are left out, each for a reason.
const LEFT_OUT: [(&str, &str); 2] = [
    ("/api/events/stream", "a stream of events never ends"),
    ("/api/v1/bookings/schedule", "it waits for the end of a call, for five minutes"),
];

/// What is looked at. That wrong values are refused, and which, is for the other tests.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
     response_schema_conformance";

async fn no_made_up_request_gets_a_server_error_or_an_answer_that_is_not_described(engine: Engine) {
    let Some(python) = python("schemathesis-requirements.txt").await else { return };
    on(engine, async |nightshift| {
        let mut command = Command::new(python.with_file_name("schemathesis"));
        let examples = std::env::var("NIGHTSHIFT_SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
        command.args(["run", "--phases", "fuzzing", "--seed", "1", "--checks", CHECKS, "--no-color"]);
        command.args(["--max-examples", &examples, "--request-timeout", "10", "--max-redirects", "0"]);
        command.args(["--continue-on-failure", "--suppress-health-check", "all", "--generation-database", "none"]);
        for (path, _) in LEFT_OUT {
            command.args(["--exclude-path", path]);
        }
        command.arg(format!("{}/api/openapi.json", nightshift.app.url()));
        let output = command
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("schemathesis runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    })
    .await;
}
