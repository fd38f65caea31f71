//! Mails into a folder: one `.json` to be read by programs, one `.eml` to be opened by people.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use lettre::message::Mailbox;
use serde_json::json;

use super::{Mail, MailError, Mailer, Sending, message};
use crate::clock::mint;

/// The folder that stands in for the world during development.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
    from: Mailbox,
}

impl Outbox {
    /// Opens the folder, and makes it where it is missing.
    ///
    /// # Errors
    /// [`MailError::Outbox`].
    pub fn open(folder: &Path, from: Mailbox) -> Result<Self, MailError> {
        let outbox = Self { folder: folder.to_owned(), from };
        fs::create_dir_all(folder).map_err(|source| outbox.error(source))?;
        // Mails carry single-use tokens: whoever reads one is the person it is for.
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder, private).map_err(|source| outbox.error(source))?;
        Ok(outbox)
    }

    fn write(&self, mail: &Mail) -> Result<(), MailError> {
        // Names sort by age. The JSON comes last: who waits for it finds both.
        let name = format!("{}-{}", mint(), mail.kind);
        let eml = message(&self.from, mail)?.formatted();
        let json = json!({
            "kind": mail.kind, "to": mail.to, "subject": mail.subject,
            "text": mail.text, "html": mail.html,
        });
        self.place(&format!("{name}.eml"), &eml)
            .and_then(|()| self.place(&format!("{name}.json"), json.to_string().as_bytes()))
            .map_err(|source| self.error(source))
    }

    /// A file appears whole or not at all.
    fn place(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.folder.join(format!(".{name}"));
        fs::write(&draft, content)?;
        fs::rename(draft, self.folder.join(name))
    }

    fn error(&self, source: io::Error) -> MailError {
        MailError::Outbox { path: self.folder.clone(), source }
    }
}

impl Mailer for Outbox {
    fn send(&self, mail: Mail) -> Sending<'_> {
        Box::pin(async move { self.write(&mail) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_lies_in_the_folder_for_programs_and_for_people() {
        let folder = crate::scratch::Scratch::path();
        let outbox = Outbox::open(&folder, "Back <back@example.org>".parse().unwrap()).unwrap();
        let mail = Mail {
            kind: "verify_email",
            to: "ada@example.org".into(),
            subject: "Überprüfung".into(),
            text: "Hello".into(),
            html: "<p>Hello</p>".into(),
        };
        outbox.send(mail.clone()).await.unwrap();
        let files: Vec<_> = fs::read_dir(&*folder).unwrap().map(|f| f.unwrap().path()).collect();
        assert_eq!(files.len(), 2);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            if file.extension().unwrap() == "json" {
                let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(json["subject"], "Überprüfung");
            } else {
                assert!(text.contains("To: ada@example.org\r\n"), "{text}");
                assert!(text.contains("multipart/alternative"), "{text}");
            }
        }
        let nobody = Mail { to: "nobody".into(), ..mail };
        assert!(matches!(outbox.send(nobody).await, Err(MailError::Address)));
    }
}
