//! A server whose clock is wrong.

use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::*;

#[tokio::test]
async fn a_server_whose_clock_is_wrong_discloses_nothing_and_says_so() {
    let served = served(1, Limits::default()).await;
    let entries = served.world.entries().await.len();
    let limits = Limits { health_interval_ms: 50, ..Limits::default() };
    // The fixture's day is long past by the database's clock, which is the machine's.
    let held = Some(chrono::TimeDelta::seconds(5));
    let at = served.beside_of(limits.clone(), Deps { clock_behind_max: held, ..deps(&served.world) }).await;
    let channel = served.connect_at("dcf", at).await;
    let refused = HistoryServiceClient::new(channel.clone()).get_history(person("D10")).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::Unavailable, "UNAVAILABLE"));
    assert!(!refused.message().contains("clock"), "what is wrong with it is nobody else's");
    assert_eq!(served.world.entries().await.len(), entries);
    // Before the first look health is red whatever the clocks say: a server that holds them to nothing turns green, and this one has looked as often by then.
    let is_green = async |channel: &Channel| {
        let asked = HealthCheckRequest { service: "throughline.history.v1.HistoryService".to_owned() };
        let told = HealthClient::new(channel.clone()).check(asked).await.unwrap().into_inner();
        told.status() == ServingStatus::Serving
    };
    let at = served.beside_of(limits, deps(&served.world)).await;
    let beside = served.connect_at("dcf", at).await;
    let green = async {
        while !is_green(&beside).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), green).await.expect("it turns green");
    for _ in 0..10 {
        assert!(!is_green(&channel).await, "its clock is wrong");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served.end().await;
}
