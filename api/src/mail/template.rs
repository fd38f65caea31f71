//! Letters to mails: text and HTML templates, the subject in the text's first line.

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{Letter, Mail, MailError};

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        [$(
            (concat!($name, ".txt"), include_str!(concat!("../../templates/mail/", $name, ".txt"))),
            (concat!($name, ".html"), include_str!(concat!("../../templates/mail/", $name, ".html"))),
        )+]
    };
}

const LAYOUT: (&str, &str) = ("layout.html", include_str!("../../templates/mail/layout.html"));

/// The templates, and the one place links begin at.
#[derive(Debug, Clone)]
pub struct Templates {
    environment: Environment<'static>,
    links_url: String,
}

impl Templates {
    /// Reads the templates.
    ///
    /// # Errors
    /// [`MailError::Template`].
    pub fn new(links_url: &str) -> Result<Self, MailError> {
        let mut environment = Environment::new();
        // A field that a letter does not have is a fault of the template, not an empty place.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let all = templates![
            "verify_email",
            "sign_up_attempt",
            "password_reset",
            "password_changed",
            "email_changed",
            "totp_enrolled",
            "credential_revoked",
            "new_sign_in",
            "invitation",
            "api_key_created",
            "email_change",
        ];
        for (name, source) in all.into_iter().chain([LAYOUT]) {
            environment.add_template(name, source).map_err(MailError::Template)?;
        }
        Ok(Self { environment, links_url: links_url.to_owned() })
    }

    /// Writes a letter to somebody.
    ///
    /// # Errors
    /// [`MailError::Template`].
    pub fn write(&self, letter: &Letter, to: &str) -> Result<Mail, MailError> {
        let link = format!("{}{}", self.links_url, letter.link());
        let fields = context! {
            link, ..Value::from_pairs(letter.fields())
        };
        let kind = letter.kind();
        let written = self.render(&format!("{kind}.txt"), &fields)?;
        let (subject, text) = written.split_once('\n').unwrap_or((&written, ""));
        let content = Value::from_safe_string(self.render(&format!("{kind}.html"), &fields)?);
        let subject = one_line(subject.trim_start_matches("Subject:"));
        let html = self.render(LAYOUT.0, &context! { subject => subject.clone(), content })?;
        Ok(Mail { kind, to: to.to_owned(), subject, text: text.trim().to_owned() + "\n", html })
    }

    fn render(&self, name: &str, fields: &Value) -> Result<String, MailError> {
        let template = self.environment.get_template(name).map_err(MailError::Template)?;
        template.render(fields).map_err(MailError::Template)
    }
}

/// A name with a line break in it must not begin another header.
fn one_line(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(letter: &Letter) -> Mail {
        let templates = Templates::new("https://back.example.org").unwrap();
        templates.write(letter, "ada@example.org").unwrap()
    }

    #[test]
    fn every_letter_can_be_written() {
        for letter in Letter::samples() {
            let mail = write(&letter);
            assert!(!mail.subject.is_empty() && !mail.subject.contains('\n'), "{mail:?}");
            assert!(mail.text.len() > 80 && mail.html.contains("<p>"), "{mail:?}");
            assert!(!mail.text.contains("&"), "{mail:?}");
            assert!(mail.text.contains("https://back.example.org/"), "{mail:?}");
            // Slashes of a link are escaped in HTML.
            assert!(mail.html.contains("back.example.org"), "{mail:?}");
            if letter.link().contains("token") {
                assert!(mail.text.contains("#token=dG9rZW4"), "{mail:?}");
            }
        }
    }

    /// Whoever makes the front end reads there which pages it has to have.
    #[test]
    fn the_guide_names_every_page_a_mail_links_to() {
        let guide = include_str!("../../../docs/api-guide.md");
        for letter in Letter::samples() {
            let link = letter.link();
            let page = link.replace("dG9rZW4", "…");
            assert!(guide.contains(&format!("| `{page}` |")), "{page}");
        }
    }

    #[test]
    fn markup_from_people_stays_text() {
        let mail = write(&Letter::Invitation {
            invitation_id: uuid::Uuid::nil(),
            organization: "<script>alert(1)</script>".into(),
            inviter: "Eve <b>".into(),
            message: "<img src=x onerror=alert(1)>".into(),
            token: "t".into(),
        });
        for (markup, escaped) in [("<script>", "&lt;script&gt;"), ("<img", "&lt;img src=x")] {
            assert!(!mail.html.contains(markup) && mail.html.contains(escaped), "{}", mail.html);
            assert!(mail.text.contains(markup), "{}", mail.text);
        }
    }

    #[test]
    fn an_invitation_without_a_message_quotes_nobody() {
        let written = |message: &str| {
            write(&Letter::Invitation {
                invitation_id: uuid::Uuid::nil(),
                organization: "Acme".into(),
                inviter: "Ada".into(),
                message: message.into(),
                token: "t".into(),
            })
        };
        let (with, without) = (written("Join us"), written(""));
        assert!(with.text.contains("\n\nAda writes:\n\n> Join us\n\n"), "{}", with.text);
        assert!(with.html.contains("<blockquote>Join us</blockquote>"), "{}", with.html);
        assert!(!without.text.contains("writes") && !without.html.contains("blockquote"));
        assert!(!without.text.contains("\n\n\n"), "{}", without.text);
    }

    #[test]
    fn a_name_cannot_begin_another_header() {
        let mail = write(&Letter::Invitation {
            invitation_id: uuid::Uuid::nil(),
            organization: "Acme\r\nBcc: eve@example.org".into(),
            inviter: "Eve".into(),
            message: String::new(),
            token: "t".into(),
        });
        assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
    }
}
