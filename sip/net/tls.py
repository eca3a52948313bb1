"""TLS for SIP (RFC 3261 §26.2, RFC 5922): certificate files in, contexts out."""

import ssl
from collections.abc import Mapping
from typing import Any

import msgspec


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    certificate: str = ""
    """Path of our PEM certificate with its chain; needed for listening, and shown to servers that ask for one."""
    key: str = ""
    """Path of the PEM key; "" when it stands in the certificate file."""
    verify_peers: bool = False
    """Outgoing connections need a certificate we trust for the server's name (RFC 5922 §4), else they fail."""
    ca_file: str = ""
    """Path of the PEM authorities to trust; "" is what the system trusts."""
    client_certificates: str = "off"
    """off, optional or required: whether who connects is asked for a certificate."""
    client_ca_file: str = ""
    """Path of the PEM authorities that such certificates are checked against."""


def server_context(config: TlsConfig) -> ssl.SSLContext:
    """For listeners. Raises ValueError without a certificate, OSError (ssl.SSLError too) when a file is no good."""
    if not config.certificate:
        raise ValueError("a tls listener needs a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.certificate, config.key or None)
    return context


def mutual_context(config: TlsConfig) -> ssl.SSLContext:
    """For listeners that ask who connects, as configured. Raises as `server_context`."""
    context = server_context(config)
    if config.client_certificates != "off":
        context.load_verify_locations(config.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED if config.client_certificates == "required" else ssl.CERT_OPTIONAL
    return context


def certificate_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Host names and addresses a verified certificate is for (`SSLSocket.getpeercert`), host names in lower case."""
    names = certificate.get("subjectAltName", ()) if certificate else ()
    return frozenset(value.lower() for kind, value in names if kind in ("DNS", "IP Address", "URI"))


def client_context(config: TlsConfig) -> ssl.SSLContext:
    """For outgoing connections. Raises OSError (ssl.SSLError too) when a file is no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.verify_peers:
        if config.ca_file:
            context.load_verify_locations(config.ca_file)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.certificate:
        context.load_cert_chain(config.certificate, config.key or None)
    return context
