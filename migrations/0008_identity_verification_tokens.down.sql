DROP TABLE identity.verification_tokens;
