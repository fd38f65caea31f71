//! Mails to an SMTP server.

use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor, message::Mailbox};
use tokio::time::timeout;

use super::{Mail, MailError, Mailer, Sending, message};
use crate::config::Mail as MailConfig;

/// A server that takes mails.
#[derive(Debug, Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl Smtp {
    /// A pool of connections to the configured server; none is made before the first mail.
    ///
    /// # Errors
    /// If the URL cannot be used.
    pub fn new(config: &MailConfig, from: Mailbox) -> Result<Self, MailError> {
        let url = config.smtp_url.as_ref().map_or("", |url| url.expose());
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let timeout = Duration::from_secs(config.send_timeout_seconds);
        Ok(Self { transport: builder.map_err(MailError::Smtp)?.build(), from, timeout })
    }
}

impl Mailer for Smtp {
    fn send(&self, mail: Mail) -> Sending<'_> {
        Box::pin(async move {
            let message = message(&self.from, &mail)?;
            // The library's own timeout covers the connecting only (lettre#1027).
            match timeout(self.timeout, self.transport.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(MailError::Smtp(error)),
                Err(_) => Err(MailError::Timeout),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;
    use crate::config::Config;

    fn mail() -> Mail {
        Mail {
            kind: "verify_email",
            to: "ada@example.org".into(),
            subject: "Hello".into(),
            text: "Hello".into(),
            html: "<p>Hello</p>".into(),
        }
    }

    async fn listener() -> (TcpListener, Smtp) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::default().mail;
        config.send_timeout_seconds = 1;
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        config.smtp_url = Some(url.into());
        let smtp = Smtp::new(&config, "back@example.org".parse().unwrap()).unwrap();
        (listener, smtp)
    }

    /// The least of RFC 5321 that takes one mail.
    fn take_one(listener: TcpListener) -> JoinHandle<String> {
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 test\r\n").await.unwrap();
            let (mut taken, mut in_data) = (String::new(), false);
            while let Ok(Some(line)) = lines.next_line().await {
                taken.push_str(&line);
                taken.push('\n');
                let answer = match (in_data, line.as_str()) {
                    (true, ".") => "250 ok\r\n",
                    (true, _) => continue,
                    (false, "DATA") => "354 go\r\n",
                    (false, "QUIT") => "221 bye\r\n",
                    (false, _) => "250 ok\r\n",
                };
                in_data = line == "DATA" || (in_data && line != ".");
                write.write_all(answer.as_bytes()).await.unwrap();
                if line == "." {
                    break;
                }
            }
            taken
        })
    }

    #[tokio::test]
    async fn a_server_takes_the_mail() {
        crate::crypto::install();
        let (listener, smtp) = listener().await;
        let server = take_one(listener);
        smtp.send(mail()).await.unwrap();
        let taken = server.await.unwrap();
        assert!(taken.contains("RCPT TO:<ada@example.org>"), "{taken}");
        assert!(taken.contains("Subject: Hello"), "{taken}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        crate::crypto::install();
        let (_listener, smtp) = listener().await;
        assert!(matches!(smtp.send(mail()).await, Err(MailError::Timeout)));
    }
}
