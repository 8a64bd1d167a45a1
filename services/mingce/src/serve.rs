//! `mingce serve`: all services in one process, or some of them.

use std::process::ExitCode;

use clap::ValueEnum;
use mingce_awards::AwardRegister;
use mingce_cases::{CaseRegister, Peers};
use mingce_ingest::peers::{self, Awards, Labs, Talent};
use mingce_labs::LabRegister;
use mingce_server::{Failure, Flags, Host, host};
use mingce_talent::TalentRegister;

/// A service of the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// Organizations, key laboratories and their designations
    Labs,
    /// Persons, programmes and their designations
    Talent,
    /// Schemes and awards
    Awards,
}

/// How to serve.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Which services; none named: all
    services: Vec<Service>,
    #[command(flatten)]
    flags: Flags,
    /// Loads the invented sample register
    #[arg(long)]
    sample: bool,
    /// Where the labs service is, if this process does not serve it
    #[arg(long, env = "MINGCE_LABS_URL", value_name = "URL")]
    labs_url: Option<String>,
    /// Where the talent service is, if this process does not serve it
    #[arg(long, env = "MINGCE_TALENT_URL", value_name = "URL")]
    talent_url: Option<String>,
    /// Where the awards service is, if this process does not serve it. Without it no reviewer can be assigned
    #[arg(long, env = "MINGCE_AWARDS_URL", value_name = "URL")]
    awards_url: Option<String>,
}

/// What somebody at a terminal can try when all services are there.
const TRIES: [&str; 3] = [mingce_labs::TRIES[1], mingce_talent::TRIES[1], mingce_awards::TRIES[2]];

/// Serves until a signal.
pub async fn run(args: ServeArgs) -> Result<ExitCode, Failure> {
    let serves = |service: Service| args.services.is_empty() || args.services.contains(&service);
    // A wrong address is said before anything is written.
    for (flag, url) in [
        ("--labs-url", &args.labs_url),
        ("--talent-url", &args.talent_url),
        ("--awards-url", &args.awards_url),
    ] {
        if let Some(url) = url {
            peers::labs(url).map_err(|error| Failure::Files(format!("{flag}: {error}")))?;
        }
    }
    let needed = |url: &Option<String>, service: Service, flag: &str| match url {
        None if !serves(service) => Err(Failure::Files(format!(
            "{flag} is needed where this process does not serve it"
        ))),
        url => Ok(url.clone()),
    };
    let mut labs_url = None;
    if serves(Service::Talent) || serves(Service::Awards) {
        labs_url = needed(&args.labs_url, Service::Labs, "--labs-url")?;
    }
    if serves(Service::Awards) {
        needed(&args.talent_url, Service::Talent, "--talent-url")?;
    }
    let all = [Service::Labs, Service::Talent, Service::Awards]
        .into_iter()
        .all(serves);
    if args.sample && !all {
        return Err(Failure::Files("--sample needs all services in one process".to_owned()));
    }

    let mut host = Host::start(args.flags.clone()).await?;
    let here = host.url();
    let within = host.in_process();
    let labs_peer = match &labs_url {
        Some(url) => peers::labs(url)?,
        None => Labs::in_process(&within),
    };
    let talent_peer = match &args.talent_url {
        Some(url) => Some(peers::talent(url)?),
        None => serves(Service::Talent).then(|| Talent::in_process(&within)),
    };
    let awards_peer = match &args.awards_url {
        Some(url) => Some(peers::awards(url)?),
        None => serves(Service::Awards).then(|| Awards::in_process(&within)),
    };
    // The key comes first: where its folder cannot be written, the database stays as it is.
    let vault = host.vault().await?;
    if serves(Service::Labs) {
        LabRegister::prepare(host.db(), false).await?;
    }
    if serves(Service::Talent) {
        TalentRegister::prepare(host.db(), false).await?;
    }
    if serves(Service::Awards) {
        AwardRegister::prepare(host.db(), false).await?;
    }
    CaseRegister::prepare(host.db(), false).await?;
    let store = host.store(vault).await?;
    let (mut kinds, mut collections) = (Vec::new(), Vec::new());
    if serves(Service::Labs) {
        let service = LabRegister::new(store.clone(), host.calendar());
        kinds.extend(LabRegister::kinds());
        collections.extend(LabRegister::collections());
        host = host.with(|server| service.mount(server));
    }
    if serves(Service::Talent) {
        let service = TalentRegister::new(store.clone(), host.calendar(), labs_peer.clone(), awards_peer.clone());
        kinds.extend(TalentRegister::kinds());
        collections.extend(TalentRegister::collections());
        host = host.with(|server| service.mount(server));
    }
    if serves(Service::Awards) {
        let talent = talent_peer.clone();
        let talent = talent.ok_or_else(|| Failure::Files("--talent-url is needed".to_owned()))?;
        let service = AwardRegister::new(store.clone(), host.calendar(), labs_peer.clone(), talent);
        kinds.extend(AwardRegister::kinds());
        collections.extend(AwardRegister::collections());
        host = host.with(|server| service.mount(server));
    }
    let known = Peers {
        labs: labs_peer,
        talent: talent_peer,
        awards: awards_peer,
    };
    let cases = CaseRegister::new(store, host.calendar(), kinds, collections, known);
    let tries: &[&str] = match args.services.as_slice() {
        _ if all => &TRIES,
        [Service::Talent, ..] => &mingce_talent::TRIES,
        [Service::Awards, ..] => &mingce_awards::TRIES,
        _ => &mingce_labs::TRIES,
    };
    let sample = args.sample;
    let load = async move {
        if sample {
            crate::sample::load(&here).await.map_err(|e| format!("{e:#}"))
        } else {
            Ok(())
        }
    };
    cases.serve(host, tries, load).await?;
    Ok(ExitCode::SUCCESS)
}

/// How to migrate.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    flags: Flags,
}

/// Brings the tables of all services to this version.
pub async fn migrate(args: MigrateArgs) -> Result<ExitCode, Failure> {
    let (db, place) = host::open(&args.flags).await?;
    LabRegister::prepare(&db, true).await?;
    TalentRegister::prepare(&db, true).await?;
    AwardRegister::prepare(&db, true).await?;
    CaseRegister::prepare(&db, true).await?;
    let now = host::clock(&args.flags)?.now();
    LabRegister::fill_documents(&db, now).await?;
    TalentRegister::fill_documents(&db, now).await?;
    AwardRegister::fill_documents(&db, now).await?;
    db.close().await;
    crate::say(&format!("{place} has the tables of this version"));
    Ok(ExitCode::SUCCESS)
}
