"""Pieces of a backup closed for one recipient: CMS enveloped data (RFC 5652), as OpenSSL reads it.

The machine that makes backups has the recipient's certificate alone and can open none of them.
That pieces were not changed is told by the signed manifest, which holds the hash of each as stored.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7

from sovereign_rag.errors import BadInput


class Recipient:
    """Whom backups are closed for: a certificate with an RSA key, such as the house's PKI gives."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    @classmethod
    def read(cls, file: Path) -> "Recipient":
        """Raises BadInput."""
        certificate = _certificate(file)
        if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
            raise BadInput(f"{file} has no RSA key; take a certificate with one.")
        return cls(certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hex."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    def close(self, data: bytes) -> bytes:
        return (
            pkcs7.PKCS7EnvelopeBuilder()
            .set_data(data)
            .set_content_encryption_algorithm(algorithms.AES256)
            .add_recipient(self._certificate)
            .encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
        )


class Opener:
    """The recipient's own key, with which a backup is opened."""

    def __init__(self, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> None:
        self._certificate, self._key = certificate, key

    @classmethod
    def read(cls, certificate: Path, key: Path, passphrase: str | None = None) -> "Opener":
        """Raises BadInput."""
        secret = None if passphrase is None else passphrase.encode()
        try:
            loaded = serialization.load_pem_private_key(key.read_bytes(), secret)
        except OSError as error:
            raise BadInput(f"{key} can't be read: {error.strerror}.") from error
        except (ValueError, TypeError) as error:
            raise BadInput(f"{key} holds no private key that this passphrase opens.") from error
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise BadInput(f"{key} holds no RSA key.")
        return cls(_certificate(certificate), loaded)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hex."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    def open(self, data: bytes) -> bytes:
        """Raises BadInput: it was closed for another key, or is damaged."""
        try:
            return pkcs7.pkcs7_decrypt_der(data, self._certificate, self._key, [])
        except ValueError as error:
            raise BadInput(
                "The backup can't be opened with this key and certificate. Give those of the "
                "recipient that it was made for."
            ) from error


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadInput(f"{file} holds no certificate (X.509, PEM).") from error
