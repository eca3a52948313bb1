"""The configuration of outgoing e-mail."""

from typing import Annotated, Literal

from msgspec import Meta

from switch.config_types import Section, Text


class Email(Section, frozen=True):
    """How e-mail is sent (voicemail). Without a host none is."""

    host: Annotated[Text, Meta(description="SMTP server; empty: nothing is sent.")] = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="starttls (587), tls from the first byte (465), or none: only to a server on this machine."),
    ] = "starttls"
    username: Text = ""
    password_file: Annotated[Text, Meta(description="File that holds the password and nothing else.")] = ""
    sender: Annotated[
        str, Meta(pattern=r"^([^@\s,;<>]{1,64}@[^@\s,;<>]{1,190})?$", description="Address the messages come from.")
    ] = ""
    timeout_s: Annotated[float, Meta(ge=1, le=300)] = 30.0


def email_problem(email: Email) -> tuple[list[str], str] | None:
    """(where, what is wrong) of what the types cannot say; None when all is right."""
    if not email.host:
        return None
    if not email.sender:
        return ["email", "sender"], "is needed where there is a host"
    if email.security == "none" and email.host not in ("localhost", "127.0.0.1", "::1"):
        why = f'"none" would send messages, and the password, in the clear to {email.host}'
        return ["email", "security"], why
    if bool(email.username) != bool(email.password_file):
        return ["email", "password_file"], "username and password_file belong together"
    return None
