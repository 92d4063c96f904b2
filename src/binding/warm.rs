//! The boundary of the warm path: texts are read into buffers, and only numbers and the charge are returned. An object built
//! through Node-API would cost more than the whole verify, so `lib/warm.js` builds it from a template per cached key.

mod environment;
mod texts;

use napi::Env;
use napi::bindgen_prelude::Unknown;

use self::texts::{FORWARDED_MAX, TextReader, Texts, whole_number};
use super::text::read_text;
use super::views::{RefusalView, WarmTemplateView};
use crate::model::{CLIENT_ADDRESS_MAX, claimed_address, parse_client_address, split_peer};
use crate::process;
use crate::verify::{self, Claims, Costs, Verification, VerifyContext, WarmSampler};

pub(super) use self::environment::{Environment, exports};

const ABSENT: f64 = -1.0;
/// In place of the number of a refusal.
const VALID: u8 = 0;

/// The handle of what was charged; `None` if there is nothing to settle. Of a refusal, the scopes that are missing.
type Charge = Option<String>;

/// Maximum length of a path, in UTF-16 units. A longer one is cut.
const PATH_MAX: usize = 256;

/// What is said of a request that presents a key, before it is read.
struct Request<'a> {
    client: Client<'a>,
    /// What is asked for, see [`VerifyContext::of_parts`].
    lines: Unknown<'a>,
    /// A number, or a text with a cost per line.
    cost: Unknown<'a>,
    path: Unknown<'a>,
}

/// Where the addresses of the client are.
enum Client<'a> {
    /// The caller knows them.
    Known {
        ip: Unknown<'a>,
        claimed_ip: Unknown<'a>,
    },
    /// In the line of `X-Forwarded-For`, which is read by the declared proxies, behind the peer of the socket if it is known.
    Forwarded(Unknown<'a>),
}

/// Answers a verify without a context from memory, where possible.
fn verify_key(environment: &Environment, [key]: [Unknown<'_>; 1]) -> Option<Charge> {
    answer(environment, key, None)
}

/// The same with a context.
fn verify(environment: &Environment, arguments: [Unknown<'_>; 6]) -> Option<Charge> {
    let [key, ip, lines, cost, path, claimed_ip] = arguments;
    let request = Request {
        client: Client::Known { ip, claimed_ip },
        lines,
        cost,
        path,
    };
    answer(environment, key, Some(&request))
}

/// The same for a request whose client is known by `X-Forwarded-For`. A wrong declaration of the proxies is a miss.
fn verify_request(environment: &Environment, arguments: [Unknown<'_>; 5]) -> Option<Charge> {
    let [key, forwarded, lines, cost, path] = arguments;
    let request = Request {
        client: Client::Forwarded(forwarded),
        lines,
        cost,
        path,
    };
    answer(environment, key, Some(&request))
}

fn answer(
    environment: &Environment,
    key: Unknown<'_>,
    request: Option<&Request<'_>>,
) -> Option<Charge> {
    let mut texts = environment.texts.try_borrow_mut().ok()?;
    let answer = answer_with(environment, key, request, &mut texts);
    texts.wipe_key();
    answer
}

fn answer_with(
    environment: &Environment,
    key: Unknown<'_>,
    request: Option<&Request<'_>>,
    texts: &mut Texts,
) -> Option<Charge> {
    static UNKNOWN: VerifyContext<'static> = VerifyContext::UNKNOWN;
    let reader = &mut texts.reader;
    // White space around a key is never part of it.
    let key = match reader.read(key, &mut texts.key) {
        Some(key) => key,
        None => {
            texts.has_token = true;
            reader.read(key, &mut texts.token)?
        }
    };
    let key = key.trim_ascii();
    let begun = environment.sampler.begin();
    let call = process::enter_warm()?;
    let service = call.service()?;
    let read;
    let context = match request {
        Some(request) => {
            read = request.context(
                reader,
                &mut texts.lines,
                &mut texts.costs,
                &mut texts.address,
            )?;
            &read
        }
        None => &UNKNOWN,
    };
    let claims = || request.map(Request::claims).unwrap_or_default();
    let verification = verify::warm(service, key, context, process::now(), claims)?;
    let charge = write(environment, verification);
    WarmSampler::end(service, begun);
    Some(charge)
}

/// Writes the numbers of an answer, and remembers its entry.
fn write(environment: &Environment, verification: Verification) -> Charge {
    let (entry, charge) = match verification {
        Verification::Valid {
            entry,
            limits,
            charge,
        } => {
            environment.write(Some(&entry), VALID, &limits, None, None);
            (Some(entry), charge)
        }
        Verification::Refused(refused) => {
            let number = RefusalView::number(&refused);
            let (by, wait) = (refused.limited_by, refused.retry_after_ms);
            environment.write(refused.entry.as_ref(), number, &refused.limits, by, wait);
            (refused.entry, refused.missing_scopes)
        }
    };
    environment.last.replace(entry);
    charge
}

impl Request<'_> {
    /// The context, with the lines and costs in their buffers; `None` if something cannot be read here.
    fn context<'b>(
        &self,
        reader: &mut TextReader,
        lines: &'b mut [u8],
        costs: &'b mut [u8],
        address: &mut [u8],
    ) -> Option<VerifyContext<'b>> {
        let lines = reader.read(self.lines, lines)?;
        let ip = match self.client {
            Client::Known { ip, .. } => reader.read(ip, address).and_then(parse_client_address),
            Client::Forwarded(line) => {
                let (peer, line) = split_peer(reader.read(line, address)?);
                process::proxy_trust().ok()?.address(peer, &[line])
            }
        };
        let costs = match whole_number(self.cost) {
            Some(cost) => Costs::each(cost)?,
            None => Costs::lines(reader.read(self.cost, costs)?)?,
        };
        let is_of_guard = matches!(self.client, Client::Forwarded(_));
        VerifyContext::of_parts(ip, lines, costs, is_of_guard)
    }

    fn claims(&self) -> Claims {
        let ip = match self.client {
            Client::Known { claimed_ip, .. } => read_text(claimed_ip, CLIENT_ADDRESS_MAX + 1)
                .as_deref()
                .and_then(parse_client_address),
            Client::Forwarded(line) => read_text(line, FORWARDED_MAX)
                .and_then(|line| claimed_address(&[split_peer(&line).1])),
        };
        let path = read_text(self.path, PATH_MAX).filter(|path| !path.is_empty());
        Claims { ip, path }
    }
}

/// The constant part of the last answer.
pub(super) fn template(env: Env) -> napi::Result<Option<WarmTemplateView>> {
    let environment = env.get_instance_data::<Environment>()?;
    let last = environment
        .as_ref()
        .map(|environment| environment.last.borrow());
    Ok(last.and_then(|last| last.as_deref().map(WarmTemplateView::from)))
}
