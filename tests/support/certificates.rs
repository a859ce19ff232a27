//! Certificates made in the test: an authority of its own, and a server certificate signed by it.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};

/// What a TLS server shows, and the authority a client should trust for it.
#[derive(Clone, Debug)]
pub struct Certificates {
    ca: String,
    certificate: String,
    key: String,
}

impl Certificates {
    /// A valid certificate for 127.0.0.1 and localhost, by an authority of its own.
    pub fn valid() -> Certificates {
        Certificates::generate(&["127.0.0.1", "localhost"], 2100)
    }

    /// A certificate for another host.
    pub fn for_host(host: &str) -> Certificates {
        Certificates::generate(&[host], 2100)
    }

    /// A certificate for 127.0.0.1 and localhost that expired long ago.
    pub fn expired() -> Certificates {
        Certificates::generate(&["127.0.0.1", "localhost"], 2001)
    }

    fn generate(hosts: &[&str], ends_in_year: i32) -> Certificates {
        let new_key = || KeyPair::generate().expect("the key type is supported");

        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, new_key()).expect("the parameters are complete");

        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut server = CertificateParams::new(hosts).expect("the host names are ASCII");
        server.not_before = date_time_ymd(2000, 1, 1);
        server.not_after = date_time_ymd(ends_in_year, 1, 1);
        let key = new_key();
        let certificate = server.signed_by(&key, &authority).expect("the parameters are complete");
        Certificates { ca: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The authority's certificate as PEM, for the client.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    pub(crate) fn write_to(&self, folder: &Path) {
        let files = [("ca.pem", &self.ca), ("certificate.pem", &self.certificate), ("key.pem", &self.key)];
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("the server's folder is writable");
        }
    }
}
