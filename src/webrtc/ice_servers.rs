//! STUN and TURN servers as browsers are told of them: `RTCIceServer` in JSON, `Link` over WHIP (RFC 9725 §4.6).
//!
//! Time-limited credentials are those of draft-uberti-behave-turn-rest-00, which coturn calls `use-auth-secret`: the user
//! name is its end and somebody's name, the password a keyed hash of that. Pure: the time is the caller's.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::protocol::IceServer;
use crate::{
    config::{TurnAccess, Web},
    secret::sign_sha1,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

/// The servers for a page; `now` in seconds since 1970, `name` is who it is.
#[must_use]
pub fn servers(web: &Web, now: u64, name: &str) -> Vec<IceServer> {
    let mut servers = Vec::new();
    if !web.stun.is_empty() {
        servers.push(IceServer { urls: web.stun.clone(), username: String::new(), credential: String::new() });
    }
    let (username, credential) = match &web.turn_access {
        TurnAccess::None => return servers,
        TurnAccess::Static(user, password) => (user.clone(), password.reveal().to_owned()),
        TurnAccess::Timed(secret, span) => {
            let name = if name.is_empty() { "guest" } else { name };
            let username = format!("{}:{name}", now.saturating_add(span.as_secs()));
            let credential = BASE64.encode(sign_sha1(secret.reveal().as_bytes(), username.as_bytes()));
            (username, credential)
        }
    };
    servers.push(IceServer { urls: web.turn.clone(), username, credential });
    servers
}

/// The same as values of `Link` header fields.
#[must_use]
pub fn links(servers: &[IceServer]) -> Vec<String> {
    let link = |server: &IceServer, url: &String| {
        if server.username.is_empty() {
            return format!("<{url}>; rel=\"ice-server\"");
        }
        format!(
            "<{url}>; rel=\"ice-server\"; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
            server.username, server.credential
        )
    };
    servers.iter().flat_map(|server| server.urls.iter().map(move |url| link(server, url))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers};
    use std::path::Path;

    fn web(text: &str) -> Result<Web, String> {
        let mut layers = Layers::defaults();
        layers.add_file_text(text, Path::new("voxgw.toml")).map_err(|problem| problem.to_string())?;
        Config::from_layers(&layers).map(|config| config.web).map_err(|problem| problem.to_string())
    }

    #[test]
    fn credentials_are_static_or_made_for_a_time() {
        assert_eq!(servers(&web("").unwrap(), 1_000, "anna"), []);
        let fixed = web("web.stun = ['stun:s:3478']\nweb.turn = ['turn:t', 'turns:t:443?transport=tcp']\n\
             web.turn_user = 'u'\nweb.turn_password = 'p'\n");
        let fixed = servers(&fixed.unwrap(), 1_000, "anna");
        assert_eq!(fixed[0], IceServer { urls: vec!["stun:s:3478".into()], ..IceServer::default() });
        assert_eq!((fixed[1].username.as_str(), fixed[1].credential.as_str()), ("u", "p"));
        assert_eq!(
            links(&fixed),
            [
                "<stun:s:3478>; rel=\"ice-server\"",
                "<turn:t>; rel=\"ice-server\"; username=\"u\"; credential=\"p\"; credential-type=\"password\"",
                "<turns:t:443?transport=tcp>; rel=\"ice-server\"; username=\"u\"; credential=\"p\"; \
                 credential-type=\"password\"",
            ]
        );
        // As `openssl dgst -sha1 -hmac north -binary | base64` says it of 4600:anna.
        let timed = web("web.turn = ['turn:t']\nweb.turn_secret = 'north'\nweb.turn_ttl = '1h'\n").unwrap();
        let timed = servers(&timed, 1_000, "anna");
        assert_eq!(
            (timed[0].username.as_str(), timed[0].credential.as_str()),
            ("4600:anna", "9KWpePpkR8ddIh9vS0McOPeZa0U=")
        );
    }

    #[test]
    fn half_a_setting_is_told() {
        for wrong in [
            "web.turn = ['turn:t']",
            "web.turn_secret = 'north'",
            "web.turn = ['turn:t']\nweb.turn_user = 'u'",
            "web.turn = ['turn:t']\nweb.turn_user = 'u'\nweb.turn_password = 'p'\nweb.turn_secret = 's'",
            "web.turn = ['stun:t']\nweb.turn_secret = 's'",
            "web.stun = ['stun.example.org']",
            "web.stun = ['stun:a b']",
        ] {
            assert!(web(wrong).is_err(), "{wrong}");
        }
    }
}
