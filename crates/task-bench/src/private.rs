//! A redis-server of this run's own.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use task_testkit::RedisServer;

use crate::cli::Aof;

/// It ends with this.
#[derive(Debug)]
pub(crate) struct Private {
    server: RedisServer,
    tls: Option<Tls>,
}

/// How it is reached by TLS.
#[derive(Debug)]
struct Tls {
    port: u16,
    /// Where its certificate and its authority's are.
    folder: tempfile::TempDir,
}

impl Private {
    /// With this persistence, and a certificate that is made for it if it is to speak TLS.
    pub(crate) fn start(aof: Aof, tls: bool) -> anyhow::Result<Self> {
        let tls = if tls { Some(Tls::certified()?) } else { None };
        let mut args: Vec<String> = match aof {
            Aof::None => Vec::new(),
            Aof::Everysec => words("--appendonly yes --appendfsync everysec"),
            Aof::Always => words("--appendonly yes --appendfsync always"),
        };
        if let Some(tls) = &tls {
            args.extend(words(&format!("--tls-port {} --tls-auth-clients no", tls.port)));
            for (option, file) in
                [("--tls-ca-cert-file", AUTHORITY), ("--tls-cert-file", CERTIFICATE), ("--tls-key-file", KEY)]
            {
                args.extend([option.to_owned(), tls.path(file)]);
            }
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Ok(Self { server: RedisServer::start(&args), tls })
    }

    /// Where it is asked what it has used: always without TLS.
    pub(crate) fn plain(&self) -> String {
        self.server.url()
    }

    /// Where clients of the queue connect to.
    pub(crate) fn address(&self) -> String {
        self.tls.as_ref().map_or_else(|| self.plain(), |tls| format!("127.0.0.1:{}", tls.port))
    }

    /// The queue's URL, if it is reached at this address.
    pub(crate) fn url(&self, address: &str) -> String {
        match &self.tls {
            Some(tls) => format!("rediss://{address}?ca={}", tls.path(AUTHORITY)),
            None => address.to_owned(),
        }
    }
}

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

impl Tls {
    /// An authority, which signs a server's certificate: TLS takes no certificate that is both.
    fn certified() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("names"), "subjectAltName=IP:127.0.0.1")?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for line in [
            format!("req -x509 {key} -keyout ca.key -out {AUTHORITY} -days 30 -subj /CN=authority"),
            format!("req {key} -keyout {KEY} -out server.req -subj /CN=server"),
            format!(
                "x509 -req -CA {AUTHORITY} -CAkey ca.key -CAcreateserial -days 30 -extfile names -in server.req -out {CERTIFICATE}"
            ),
        ] {
            openssl(folder.path(), &line)?;
        }
        Ok(Self { port: RedisServer::free_port(), folder })
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn openssl(folder: &Path, line: &str) -> anyhow::Result<()> {
    let mut command = Command::new("openssl");
    let made = command.current_dir(folder).args(line.split(' ')).output();
    let made = made.context("--tls needs the program openssl, which makes the certificate")?;
    let said = String::from_utf8_lossy(&made.stderr);
    anyhow::ensure!(made.status.success(), "openssl {line}: {said}");
    Ok(())
}
