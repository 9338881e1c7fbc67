"""A certificate authority that lives as long as its control plane, and what it signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

_LIFE = timedelta(days=7)
_EARLIER = timedelta(minutes=5)  # for whoever's clock is behind
_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its certificate, or public key, in PEM files (the key with mode 0600)."""

    key: Path
    certificate: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates for servers on 127.0.0.1 and for their clients; its own certificate is in `pair`."""

    directory: Path
    pair: Pair
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, directory: Path) -> Self:
        """A new one, with its files in the folder."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("gatestream-control-plane")
        signed = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(directory, _write(directory, "ca", key, _pem(signed)), key)

    def issue(self, file: str, common_name: str, organisation: str = "", life: timedelta = _LIFE) -> Pair:
        """A certificate for 127.0.0.1, server's or client's.

        To Kubernetes the common name is the client's name, the organisation its group (kubernetes.io/docs, "X509 client
        certificates").
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, subject = _name("gatestream-control-plane"), _name(common_name, organisation)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        places = [x509.IPAddress(ip_address("127.0.0.1")), *map(x509.DNSName, _NAMES)]
        signed = (
            _builder(issuer, subject, key.public_key(), life)
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return _write(self.directory, file, key, _pem(signed))


def key_pair(directory: Path, file: str) -> Pair:
    """A private key and, instead of a certificate, its public key: what ServiceAccount tokens are signed with."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _write(directory, file, key, public)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta = _LIFE
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - _EARLIER, now + life)


def _name(common_name: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    return x509.Name(parts + [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organisation)] * bool(organisation))


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(directory: Path, file: str, key: ec.EllipticCurvePrivateKey, public: bytes) -> Pair:
    pair = Pair(directory / f"{file}.key", directory / f"{file}.pem")
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    pair.certificate.write_bytes(public)
    return pair
