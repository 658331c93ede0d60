//! Stands between the gateway and any mock of a provider and spoils what passes: one table of faults for all of them.
//! Carries messages, not bytes, so that it can put others between them.

use futures_util::{SinkExt as _, StreamExt as _};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    accept_hdr_async_with_config, connect_async_with_config,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::{CloseFrame, WebSocketConfig},
    },
};

/// What is spoiled, on the first connection only unless it is a refusal.
#[derive(Clone, Debug)]
pub enum Spoil {
    /// The upgrade takes so long.
    Slow(Duration),
    /// Each upgrade is refused with this status and body.
    Refused(u16, &'static str),
    /// This close after the third message with sound; 1006 cuts the connection.
    Close(u16),
    /// Nothing comes from the provider, on any connection.
    Silent,
    /// These come before the first message with sound.
    Between(Vec<Message>),
}

/// The running spoiler.
#[derive(Debug)]
pub struct Spoiler {
    /// The mock's address through it.
    pub url: String,
    task: JoinHandle<()>,
}

impl Spoiler {
    /// Before `url`.
    pub async fn before(url: &str, spoil: Spoil) -> Self {
        let place = url.trim_start_matches("ws://");
        let (there, path) = place.split_once('/').map_or((place, String::new()), |(a, path)| (a, format!("/{path}")));
        let (there, spoil) = (Arc::<str>::from(there), Arc::new(spoil));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}{path}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, Arc::clone(&there), Arc::clone(&spoil), number));
                number += 1;
            }
        });
        Self { url, task }
    }
}

impl Drop for Spoiler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether a message of any provider has sound.
fn is_sound(message: &Message) -> bool {
    let bytes = match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        _ => return false,
    };
    let text = String::from_utf8_lossy(bytes);
    text.len() > 250 && ["\"delta\":\"", "inlineData", "\"payload\""].iter().any(|word| text.contains(word))
}

async fn carry(stream: TcpStream, there: Arc<str>, spoil: Arc<Spoil>, number: usize) {
    if let (Spoil::Slow(time), 0) = (&*spoil, number) {
        tokio::time::sleep(*time).await;
    }
    let mut request = None;
    #[expect(clippy::result_large_err, reason = "the callback's type")]
    let upgrade = |asked: &Request, response: Response| -> Result<Response, ErrorResponse> {
        if let Spoil::Refused(status, body) = &*spoil {
            let mut refused = ErrorResponse::new(Some((*body).to_owned()));
            *refused.status_mut() = StatusCode::from_u16(*status).unwrap();
            return Err(refused);
        }
        let mut onward = format!("ws://{there}{}", asked.uri()).into_client_request().unwrap();
        for (name, value) in asked.headers() {
            if !name.as_str().starts_with("sec-websocket") && name != "host" {
                onward.headers_mut().insert(name, value.clone());
            }
        }
        request = Some(onward);
        Ok(response)
    };
    let config = Some(WebSocketConfig::default().max_message_size(None).max_frame_size(None));
    let Ok(near) = accept_hdr_async_with_config(stream, upgrade, config).await else { return };
    let Some(request) = request else { return };
    let Ok((far, _)) = connect_async_with_config(request, config, true).await else { return };
    let (mut to_near, mut from_near) = near.split();
    let (mut to_far, mut from_far) = far.split();
    let mut sounds = 0;
    loop {
        tokio::select! {
            message = from_near.next() => match message {
                Some(Ok(message)) => if to_far.send(message).await.is_err() { return },
                _ => return,
            },
            message = from_far.next() => {
                let Some(Ok(message)) = message else { return };
                if matches!(*spoil, Spoil::Silent) {
                    continue;
                }
                if number == 0 && is_sound(&message) {
                    sounds += 1;
                    match &*spoil {
                        Spoil::Between(messages) if sounds == 1 => for message in messages {
                            let _ = to_near.send(message.clone()).await;
                        },
                        Spoil::Close(1_006) if sounds == 4 => return,
                        Spoil::Close(code) if sounds == 4 => {
                            let frame = CloseFrame { code: (*code).into(), reason: "as the table says".into() };
                            let _ = to_near.send(Message::Close(Some(frame))).await;
                            while let Some(Ok(_)) = from_near.next().await {}
                            return;
                        }
                        _ => {}
                    }
                }
                if to_near.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}
