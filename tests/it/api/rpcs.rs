//! Who may call what: every RPC of the contract, asked by each kind of caller. A new RPC without a line in the snapshot fails.

use std::{fmt::Write as _, fs, path::Path};

use tonic::{client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::*;

/// Every RPC of the contract, as the path it is called by.
fn listed() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                let (mut package, mut service) = (String::new(), String::new());
                for line in fs::read_to_string(&path).unwrap().lines() {
                    let words: Vec<&str> = line.split([' ', ';', '(', '{']).filter(|word| !word.is_empty()).collect();
                    match words.as_slice() {
                        ["package", name, ..] => (*name).clone_into(&mut package),
                        ["service", name, ..] => (*name).clone_into(&mut service),
                        ["rpc", name, ..] => drop(found.insert(format!("/{package}.{service}/{name}"))),
                        _ => {}
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/throughline"), &mut found);
    found
}

/// What becomes of a call that says nothing: whether the caller may ask at all is decided first.
async fn asked(channel: &Channel, path: &str) -> &'static str {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path: PathAndQuery = path.parse().unwrap();
    let called = client.server_streaming(tonic::Request::new(()), path, ProstCodec::<(), ()>::default()).await;
    let code = match called {
        Err(status) => status.code(),
        Ok(answer) => answer.into_inner().message().await.map_or_else(|status| status.code(), |_| Code::Ok),
    };
    match code {
        Code::Unauthenticated => "unknown",
        Code::PermissionDenied => "refused",
        Code::Unimplemented => "-",
        _ => "may ask",
    }
}

#[tokio::test]
async fn who_may_call_what_is_as_reviewed() {
    let served = served(1, Limits::default()).await;
    let mut callers = Vec::new();
    for who in ["dcf", "cssd", "sea"] {
        callers.push((who, served.connect(who).await));
    }
    let (certificate, key) = bearer("nobody.example.test", &served.callers);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(served.servers.pem()))
        .identity(Identity::from_pem(certificate, key));
    let url = format!("https://localhost:{}", served.at.port());
    callers.push(("a stranger", Channel::from_shared(url).unwrap().tls_config(tls).unwrap().connect().await.unwrap()));
    let mut printed = format!("{:<64}", "RPC (\"-\": not served by this version)");
    for (who, _) in &callers {
        write!(printed, "{who:<12}").unwrap();
    }
    printed = printed.trim_end().to_owned() + "\n";
    for path in listed() {
        let mut line = format!("{path:<64}");
        for (_, channel) in &callers {
            write!(line, "{:<12}", asked(channel, &path).await).unwrap();
        }
        printed.push_str(line.trim_end());
        printed.push('\n');
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/rpcs.txt");
    let reviewed = fs::read_to_string(&kept).unwrap_or_default();
    if printed != reviewed {
        fs::write(kept.with_extension("txt.new"), &printed).unwrap();
    }
    assert!(
        printed == reviewed,
        "who may call what has changed: compare tests/snapshots/rpcs.txt with rpcs.txt.new\n{printed}"
    );
    served.end().await;
}
